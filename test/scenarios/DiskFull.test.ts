import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"
import * as SmallDisk from "./SmallDisk.ts"

const filler = "x".repeat(50_000)
const key = { "Idempotency-Key": "the one that was refused" }
const unlessMissing = SmallDisk.missing === undefined ? "" : ` [left out: ${SmallDisk.missing}]`

const ErrorBody = Schema.parseJson(Schema.Struct({ error: Schema.Struct({ code: Schema.String }) }))
const decodeError = Schema.decodeUnknownSync(ErrorBody)

const assertFull = ({ status, text }: Requests.Answer) => {
  assert.equal(status, 507, text)
  assert.equal(decodeError(text).error.code, "STORE_FULL")
}

const dataOf = (client: StreamClient.StreamClient) =>
  client.events().flatMap(({ data, name }) => (name === "message" ? [data] : []))

describe(`a data file on a disk that is full${unlessMissing}`, () => {
  it.scopedLive.skipIf(SmallDisk.missing !== undefined)(
    "means 507 for producers, while streams and history go on; with space again appends work without a restart (S69)",
    () =>
      Effect.gen(function* () {
        const disk = yield* SmallDisk.make
        const server = yield* ServerProcess.started({}, Effect.succeed(disk.filename))
        const watch = (query: string) => StreamClient.open(`${server.url}/v1/sessions/s/stream?${query}`)
        const stored = ["before"]
        yield* Requests.add(server, "s", { data: "before" })
        const watcher = yield* watch("from=start")
        yield* watcher.named("sluice.live")

        yield* disk.fill
        // What the files have in reserve is still good for some.
        const appendOnce = (count: number) =>
          Effect.tap(Requests.append(server, "s", { data: `${count} ${filler}` }), ({ status }) =>
            Effect.sync(() => (status === 201 ? stored.push(`${count} ${filler}`) : undefined))
          )
        const count = yield* Effect.iterate(0, {
          while: (count) => count >= 0 && count < 1000,
          body: (count) => Effect.map(appendOnce(count), ({ status }) => (status === 201 ? count + 1 : -1 - count))
        })
        assert.ok(count < 0, "it never was full")
        assertFull(yield* Requests.append(server, "s", { data: filler }))
        assertFull(yield* Requests.append(server, "another", { data: filler }))
        assertFull(yield* Requests.append(server, "s", { data: filler }, { headers: key }))

        const late = yield* watch("from=start")
        yield* late.named("sluice.live")
        assert.deepEqual(dataOf(late), stored)
        assert.deepEqual(
          (yield* Requests.history(server, "s")).events.map(({ data }) => data),
          stored
        )
        assert.equal((yield* Requests.send(`${server.url}/healthz`)).status, 200)
        const unready = yield* Requests.send(`${server.url}/readyz?for=sessions`)
        assert.equal(unready.status, 503, unready.text)
        assert.match(unready.text, /the store cannot be written \(Full\)/)

        yield* disk.free
        const again = yield* Requests.append(server, "s", { data: filler }, { headers: key })
        assert.equal(again.status, 201, again.text)
        yield* Requests.add(server, "s", { data: "after" })
        stored.push(filler, "after")
        for (const client of [watcher, late]) {
          yield* client.find(({ data }) => data === "after")
          assert.deepEqual(dataOf(client), stored)
        }
        assert.equal((yield* Requests.send(`${server.url}/readyz?for=sessions`)).status, 200)
        yield* server.kill9
        yield* server.start
        assert.deepEqual(
          (yield* Requests.history(server, "s")).events.map(({ data }) => data),
          stored
        )
        assert.equal(yield* server.stop, 0)
      })
  )
})
