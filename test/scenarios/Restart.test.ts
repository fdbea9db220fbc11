import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"

const clients = 100
const events = 6_000
const cap = 200
const meanwhile = "appended while they return"

const Gap = Schema.parseJson(
  Schema.Struct({
    session: Schema.Literal("s"),
    after: Schema.Int,
    next: Schema.Int,
    missed: Schema.Int,
    oldest: Schema.Literal(1),
    head: Schema.Int,
    reason: Schema.Literal("cap")
  })
)
const decodeGap = Schema.decodeUnknownSync(Gap, { onExcessProperty: "error" })

const seqOf = ({ lastId }: StreamClient.StreamEvent): number => Cursor.parse(lastId)?.seq ?? assert.fail(lastId)

describe("100 clients with old cursors that return at once after kill -9", () => {
  it.scopedLive(
    "get one gap and at most 200 events each, and at once what is appended meanwhile (promise 5, S77)",
    () =>
      Effect.gen(function* () {
        // The safety net is out of the way: whatever comes, comes by itself.
        const server = yield* ServerProcess.started({ SLUICE_SYNC_INTERVAL_SECONDS: "3600" })
        const fill = (page: number) =>
          Requests.add(server, "s", {
            events: Array.from({ length: 1000 }, (_, index) => ({ data: page * 1000 + index + 1 }))
          })
        const [filled] = yield* Effect.forEach([0, 1, 2, 3, 4, 5], fill)
        const epoch = filled?.epoch ?? assert.fail()
        yield* server.kill9
        yield* server.start

        const connected = yield* Effect.fork(
          Effect.forEach(
            Array.from({ length: clients }, (_, index) => index * 20),
            (seq) =>
              Effect.map(
                StreamClient.open(`${server.url}/v1/sessions/s/stream`, {
                  headers: { "Last-Event-ID": `${epoch}.${seq}` }
                }),
                (client) => ({ client, seq })
              ),
            { concurrency: "unbounded" }
          )
        )
        const appended = yield* Requests.add(server, "s", { data: meanwhile })
        assert.equal(appended.last, events + 1)
        for (const { client, seq } of yield* Fiber.join(connected)) {
          yield* client.find(({ data }) => data === meanwhile)
          yield* client.named("sluice.live")
          const frames = client.events()
          const [gap, ...more] = frames.filter(({ name }) => name === "sluice.gap")
          assert.deepEqual(more, [])
          const { after, head, missed, next } = decodeGap(gap?.data)
          assert.deepEqual({ after, missed, next }, { after: seq, missed: head - cap - seq, next: head - cap + 1 })
          assert.deepEqual(Cursor.parse(gap?.lastId ?? ""), { epoch, seq: next - 1 })

          const names = frames.map(({ name }) => name)
          const replayed = names.slice(0, names.indexOf("sluice.live")).filter((name) => name === "message").length
          assert.ok(replayed <= cap + 1, `${replayed} events were replayed`)
          const seqs = frames.filter(({ name }) => name === "message").map(seqOf)
          assert.deepEqual(
            seqs,
            Array.from({ length: events + 1 - (next - 1) }, (_, index) => next + index)
          )
        }
      })
  )
})
