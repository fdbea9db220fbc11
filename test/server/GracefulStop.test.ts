import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { ConnectionRegistry } from "../../src/connection/ConnectionRegistry.ts"
import { Readiness } from "../../src/http/Readiness.ts"
import { Listening } from "../../src/server/Listening.ts"
import * as Server from "../../src/server/Server.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import * as Call from "../http/Call.ts"
import * as RawSocket from "../http/RawSocket.ts"
import * as Sluice from "../http/Sluice.ts"

/** A server that a test stops before its own scope ends; `stop` gives the milliseconds that it took. */
const stoppable = <A, E>(make: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const made = yield* Scope.extend(make, scope)
    const stop = Effect.map(Effect.timed(Scope.close(scope, Exit.void)), ([took]) => Duration.toMillis(took))
    return { made, stop } as const
  })

/** The farewell of a stream that has ended, and that nothing followed it. */
const farewell = (client: StreamClient.StreamClient) =>
  Effect.map(client.ended, ({ isComplete, text }) => {
    assert.ok(isComplete)
    const last = client.events()[client.events().length - 1]
    assert.ok(last)
    const { reason, retry } = Call.json(last)
    assert.deepEqual([last.name, reason], ["sluice.bye", "shutdown"])
    assert.ok(typeof retry === "number" && retry >= 1000)
    assert.ok(text.endsWith(`retry: ${retry}\nevent: sluice.bye\ndata: ${last.data}\n\n`))
    return retry
  })

const drain = Duration.seconds(3)

describe("a graceful stop", () => {
  it.scopedLive(
    "says sluice.bye to 200 streams with a jittered retry, and does not wait for those that read nothing (S44)",
    () =>
      Effect.gen(function* () {
        const { made: sluice, stop } = yield* stoppable(Sluice.make({ listen: { drain } }))
        yield* sluice.add("a", { data: "before" })
        const silent = yield* Effect.replicateEffect(sluice.watch("large"), 4)
        yield* Effect.forEach(silent, (client) => Effect.zipRight(client.named("sluice.live"), client.pause))
        const single = yield* Effect.replicateEffect(sluice.watch("a", "from=start"), 100, { concurrency: 20 })
        const many = yield* Effect.replicateEffect(sluice.stream("/v1/stream?session=a&session=b"), 96, {
          concurrency: 20
        })
        const readers = [...single, ...many]
        yield* Effect.forEach(readers, (client) => client.named("sluice.live"))
        const large = { events: Array.from({ length: 4 }, () => ({ data: "x".repeat(1_000_000) })) }
        yield* Effect.replicateEffect(sluice.append("large", JSON.stringify(large)), 5)
        const took = yield* stop
        assert.ok(took < Duration.toMillis(drain), `the stop took ${took} ms`)
        const retries = yield* Effect.forEach(readers, farewell)
        assert.ok(new Set(retries).size > 100, "they would all come back at once")
        assert.ok(Math.max(...retries) - Math.min(...retries) > 5000)
        yield* Effect.forEach(silent, (client) => client.resume)
        for (const client of silent) assert.ok(!(yield* client.ended).isComplete)
      })
  )

  it.scopedLive("is over at once when nobody is there, also with idle connections kept alive", () =>
    Effect.gen(function* () {
      const { made: sluice, stop } = yield* stoppable(Sluice.make({ listen: { drain } }))
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(RawSocket.head("GET /healthz HTTP/1.1"))
      yield* socket.until((text) => text.includes('{"status":"ok"}'))
      const unused = yield* RawSocket.open(sluice.url)
      const took = yield* stop
      assert.ok(took < 1000, `the stop took ${took} ms`)
      yield* socket.closed
      yield* unused.closed
    })
  )

  it.scopedLive("answers the append that is in flight, stores it, and then waits for nothing more", () =>
    Effect.gen(function* () {
      const { made, stop } = yield* stoppable(Sluice.makeFaulty({ listen: { drain } }))
      const { sluice, store } = made
      const held = yield* FaultyStore.holds
      store.next("commit", held)
      const client = yield* sluice.watch("a")
      yield* client.named("sluice.live")
      const answer = yield* Effect.fork(sluice.append("a", { data: "in flight" }))
      yield* held.reached
      const stopping = yield* Effect.fork(stop)
      yield* farewell(client)
      yield* held.release
      assert.equal((yield* Fiber.join(answer)).status, 201)
      const took = yield* Fiber.join(stopping)
      assert.ok(took < 1000, `the stop took ${took} ms`)
    })
  )

  it.scopedLive("cuts off what is still half sent when its time is up", () =>
    Effect.gen(function* () {
      const { made: sluice, stop } = yield* stoppable(Sluice.make({ listen: { drain } }))
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(
        RawSocket.head("POST /v1/sessions/a/events HTTP/1.1", ["Content-Length: 100", "Expect: 100-continue"])
      )
      yield* socket.until((text) => text.startsWith("HTTP/1.1 100 Continue"))
      const took = yield* stop
      assert.ok(took < Duration.toMillis(drain), `the stop took ${took} ms`)
      yield* socket.closed
    })
  )
})

describe("a stop that gets no answer from the backend", () => {
  it.scopedLive("takes its time and no more, and leaves no port open behind it", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      backend.onDisconnect(TestBackend.always(TestBackend.never))
      const callback = { url: new URL(backend.url) }
      const { made: server, stop } = yield* stoppable(TestServer.make({ callback, listen: { drain } }))
      const client = yield* StreamClient.open(`${server.url}/sse/x`)
      const took = yield* stop
      assert.ok(took < Duration.toMillis(drain), `the stop took ${took} ms`)
      yield* client.ended
      const refused = yield* Effect.flip(StreamClient.open(`${server.url}/healthz`))
      assert.match(String(refused.cause), /ECONNREFUSED/)
    })
  )
})

describe("a server that drains", () => {
  it.scopedLive("is not ready, ends new streams with sluice.bye as a 200, and still takes appends (S44)", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(Server.layer(TestServer.config()))
      const sluice = Sluice.at(Context.get(context, Listening).url)
      const before = yield* sluice.watch("a")
      yield* before.named("sluice.live")
      yield* Context.get(context, Readiness).drain
      yield* Context.get(context, ConnectionRegistry).drain
      yield* farewell(before)
      const retries: Array<number> = []
      for (const path of [
        "/v1/sessions/a/stream",
        "/v1/stream?session=a",
        "/v1/sessions/a/stream",
        "/v1/sessions/a/stream"
      ]) {
        const client = yield* sluice.stream(path)
        assert.equal(client.status, 200)
        assert.equal(client.headers["content-type"], "text/event-stream")
        retries.push(yield* farewell(client))
        assert.equal(client.events().length, 1)
      }
      assert.ok(new Set(retries).size > 1)
      for (const path of ["/readyz", "/readyz?for=sessions"]) {
        const answer = yield* sluice.call(path)
        assert.equal(answer.status, 503)
        assert.match(answer.text, /draining/)
      }
      assert.equal((yield* sluice.call("/healthz")).text, '{"status":"ok"}')
      assert.equal((yield* sluice.append("a", { data: 1 })).status, 201)
    })
  )
})
