import * as assert from "node:assert/strict"
import { existsSync } from "node:fs"
import * as Http from "node:http"
import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, FiberId, Schema } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"

const large = "x".repeat(8_000)

/** Far more than sockets hold between two processes. */
const flood = (server: ServerProcess.ServerProcess, session: string) =>
  Effect.replicateEffect(
    Requests.add(server, session, { events: Array.from({ length: 250 }, () => ({ data: large })) }),
    8
  )

const watch = (server: ServerProcess.ServerProcess, session: string, query = "") =>
  StreamClient.open(`${server.url}/v1/sessions/${session}/stream?${query}`)

/** Streams that are open and take no byte from now on. */
const idle = (server: ServerProcess.ServerProcess, session: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }),
    () =>
      Effect.tap(
        Effect.flatMap(watch(server, session), (client) => Effect.as(client.named("sluice.live"), client)),
        (client) => client.pause
      ),
    { concurrency: 50 }
  )

/** An append whose head the server has, and whose body only `send` brings. */
const halfSent = (server: ServerProcess.ServerProcess, session: string, body: string) =>
  Effect.gen(function* () {
    const accepted = yield* Deferred.make<void>()
    const answered = Deferred.unsafeMake<number>(FiberId.none)
    const request = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Http.request(`${server.url}/v1/sessions/${session}/events`, {
          agent: false,
          method: "POST",
          headers: { "Content-Length": body.length, Expect: "100-continue" }
        })
      ),
      (request) => Effect.sync(() => request.destroy())
    )
    request.on("continue", () => Deferred.unsafeDone(accepted, Effect.void))
    request.on("error", (error) => Deferred.unsafeDone(answered, Effect.die(error)))
    request.on("response", (response) => {
      response.resume()
      Deferred.unsafeDone(answered, Effect.succeed(response.statusCode ?? 0))
    })
    request.flushHeaders()
    yield* Deferred.await(accepted)
    request.write(body.slice(0, 5))
    return { send: Effect.sync(() => request.end(body.slice(5))), answered: Deferred.await(answered) } as const
  })

const Bye = Schema.parseJson(Schema.Struct({ reason: Schema.Literal("shutdown"), retry: Schema.Int }))
const decodeBye = Schema.decodeUnknownSync(Bye)

describe("SIGTERM", () => {
  it.scopedLive(
    "says goodbye to each of 500 streams, answers what is under way, closes the store and exits with 0 (S44)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started({ SLUICE_DRAIN_SECONDS: "5" })
        yield* Requests.add(server, "calm", { data: "first" })
        const readers = yield* Effect.forEach(Array.from({ length: 450 }), () => watch(server, "calm", "from=start"), {
          concurrency: 50
        })
        yield* Effect.forEach(readers, (client) => client.named("sluice.live"))
        yield* idle(server, "busy", 50)
        yield* flood(server, "busy")
        const append = yield* halfSent(server, "calm", JSON.stringify({ data: "under way" }))

        const begin = performance.now()
        yield* server.signal("SIGTERM")
        const byes = yield* Effect.forEach(readers, (client) => client.named("sluice.bye"))
        const ready = yield* Effect.either(Requests.send(`${server.url}/readyz?for=sessions`))
        assert.ok(ready._tag === "Left" || ready.right.status === 503)
        yield* append.send
        assert.equal(yield* append.answered, 201)
        assert.equal(yield* server.ended, 0, server.said())
        assert.ok(performance.now() - begin < 5_000, "it took longer than it may")

        const retries = byes.map(({ data }) => decodeBye(data).retry)
        assert.ok(Math.min(...retries) >= 1000, `too soon: ${Math.min(...retries)}`)
        assert.ok(new Set(retries).size > 300, "they would come back all at once")
        for (const client of readers) {
          const { isComplete, text } = yield* client.ended
          assert.ok(isComplete, "cut off")
          const [bye = ""] = text.split("\n\n").slice(-2)
          assert.match(bye, /^retry: \d+\nevent: sluice\.bye\ndata: /)
        }

        assert.ok(!existsSync(`${server.filename}-wal`), "the store was left open")
        yield* server.start
        const { events } = yield* Requests.history(server, "calm")
        assert.deepEqual(
          events.map(({ data }) => data),
          ["first", "under way"]
        )
        assert.equal((yield* Requests.history(server, "busy")).head, 2000)
        assert.equal(yield* server.stop, 0)
      })
  )

  it.scopedLive(
    "lets a client go on where it was told goodbye, without a missed or repeated event (promise 2, S44)",
    () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        yield* Requests.add(server, "s", { events: [{ data: "1" }, { data: "2" }] })
        const before = yield* watch(server, "s", "from=start")
        yield* before.named("sluice.live")
        assert.equal(yield* server.stop, 0)
        yield* server.start
        yield* Requests.add(server, "s", { data: "3" })
        const after = yield* StreamClient.open(`${server.url}/v1/sessions/s/stream`, {
          headers: { "Last-Event-ID": before.lastId() }
        })
        yield* after.named("sluice.live")
        const data = [...before.events(), ...after.events()]
          .filter(({ name }) => name === "message")
          .map(({ data }) => data)
        assert.deepEqual(data, ["1", "2", "3"])
      })
  )
})

describe("a second signal", () => {
  for (const [signal, status] of [
    ["SIGTERM", 143],
    ["SIGINT", 130]
  ] as const) {
    it.scopedLive(`ends a stop in progress at once with ${status}, and what was acknowledged is there (S45)`, () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        yield* idle(server, "busy", 1)
        yield* flood(server, "busy")
        const reader = yield* watch(server, "busy")
        yield* reader.named("sluice.live")
        yield* server.signal(signal)
        yield* reader.named("sluice.bye")
        const ended = yield* Effect.fork(server.ended)
        const begin = performance.now()
        yield* server.signal(signal)
        assert.equal(yield* Fiber.join(ended), status, server.said())
        assert.ok(performance.now() - begin < 2_000, "not at once")
        yield* server.start
        assert.equal((yield* Requests.history(server, "busy")).events.length, 2000)
        assert.equal(yield* server.stop, 0)
      })
    )
  }
})
