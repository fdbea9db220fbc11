import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, type Scope } from "effect"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"

const filler = "x".repeat(8_000)
const megabyte = 1024 * 1024

const watch = (
  server: ServerProcess.ServerProcess,
  session: string
): Effect.Effect<StreamClient.StreamClient, StreamClient.StreamNotOpened | StreamClient.StreamEnded, Scope.Scope> =>
  Effect.tap(StreamClient.open(`${server.url}/v1/sessions/${session}/stream`), (client) => client.named("sluice.live"))

const paused = (server: ServerProcess.ServerProcess, session: string) =>
  Effect.tap(watch(server, session), (client) => client.pause)

/** Events `first` to `last`, each 8 KB and begun by its number, 50 to a request. */
const append = (server: ServerProcess.ServerProcess, session: string, first: number, last: number) =>
  Effect.forEach(
    Array.from({ length: Math.ceil((last - first + 1) / 50) }, (_, page) => first + page * 50),
    (from) =>
      Requests.add(server, session, {
        events: Array.from({ length: Math.min(50, last - from + 1) }, (_, index) => ({
          data: `${from + index} ${filler}`
        }))
      }),
    { discard: true }
  )

const isNumber = (seq: number) => (event: StreamClient.StreamEvent) => event.data.startsWith(`${seq} `)

const assertHasAll = (client: StreamClient.StreamClient, last: number) => {
  const events = client.events().filter(({ name }) => name === "message")
  assert.deepEqual(
    events.map(({ data, lastId }) => [Cursor.parse(lastId)?.seq, Number.parseInt(data, 10), data.length]),
    Array.from({ length: last }, (_, index) => [index + 1, index + 1, `${index + 1} ${filler}`.length])
  )
  assert.ok(!client.events().some(({ name }) => name === "sluice.gap"), "a gap on an open connection")
}

describe("a client that reads slowly or not at all", () => {
  it.scopedLive(
    "costs its bound and no other client a delay: 20 that never read, and one that gets all (promise 3, S84)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        yield* Effect.replicateEffect(paused(server, "s"), 20)
        const reader = yield* watch(server, "s")
        // What a first burst brings into being once and for all (code, page cache) is not what is measured.
        yield* append(server, "warm", 1, 500)
        const before = process.platform === "linux" ? server.memory().now : 0
        yield* append(server, "s", 1, 2000)
        yield* reader.find(isNumber(2000))
        assertHasAll(reader, 2000)
        assert.equal(yield* Requests.watchers(server, "s"), 21)
        if (process.platform === "linux") {
          const growth = server.memory().peak - before
          assert.ok(growth < 150 * megabyte, `it grew by ${Math.round(growth / megabyte)} MB`)
        }
      })
  )

  it.scopedLive(
    "that pauses and resumes gets everything in order on the same connection, and is live again (promise 4, S83)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        const client = yield* paused(server, "s")
        yield* append(server, "s", 1, 3000)
        assert.ok(client.bytes().length < 3000 * filler.length, "it did not pause")
        yield* client.resume
        yield* client.find(isNumber(3000))
        yield* append(server, "s", 3001, 3001)
        yield* client.find(isNumber(3001))
        assertHasAll(client, 3001)
      })
  )

  it.scopedLive(
    "is closed when it takes no byte for the stall deadline, and who takes some stays (promise 4, S83)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started({ SLUICE_STALL_SECONDS: "2" })
        yield* paused(server, "s")
        const slow = yield* paused(server, "s")
        const reader = yield* watch(server, "s")
        // A slow client is one that takes its time: a quarter of a megabyte, and then nothing for a while.
        const sip = Effect.suspend(() => {
          const enough = slow.bytes().length + megabyte / 4
          return Effect.all([slow.resume, slow.until(() => slow.bytes().length >= enough), slow.pause])
        })
        const sipping = yield* Effect.fork(Effect.repeat(sip, Schedule.spaced("100 millis")))
        yield* append(server, "s", 1, 3000)
        yield* Effect.repeat(Requests.watchers(server, "s"), {
          schedule: Schedule.spaced("20 millis"),
          until: (count) => count < 3
        })
        yield* Fiber.interrupt(sipping)
        assert.ok(slow.bytes().length < 3000 * filler.length, "it was not slow")
        assert.equal(yield* Requests.watchers(server, "s"), 2)
        yield* slow.resume
        yield* slow.find(isNumber(3000))
        assertHasAll(slow, 3000)
        yield* reader.find(isNumber(3000))
        assertHasAll(reader, 3000)
      })
  )
})
