import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Gateway from "../gateway/Gateway.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"

/** A server with a backend that outlives it. */
const started = (settings: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const backend = yield* TestBackend.make
    const server = yield* ServerProcess.started({ CALLBACK_URL: backend.url, ...settings })
    return { backend, server, gateway: Gateway.at(server.url, backend) } as const
  })

const open = (gateway: Gateway.Gateway, count: number) =>
  Effect.all(
    Array.from({ length: count }, () => gateway.accepted()),
    { concurrency: count }
  )

const tokens = (of: ReadonlyArray<{ readonly token: string }>) => of.map(({ token }) => token).sort()

const reasons = (calls: ReadonlyArray<TestBackend.Call>) => Array.from(new Set(calls.map(({ reason }) => reason)))

describe("kill -9 of a gateway", () => {
  it.scopedLive(
    "is told to the backend at the next start: every accepted connect once, as an error (promise 7, S39)",
    () =>
      Effect.gen(function* () {
        const { backend, gateway, server } = yield* started()
        // One that the backend refused, and one whose end it knows: neither is owed.
        backend.onConnect(TestBackend.inTurn(TestBackend.answer(403), TestBackend.accept))
        assert.equal((yield* gateway.call("/sse/refused")).status, 403)
        const known = yield* gateway.accepted()
        yield* known.client.abort
        yield* backend.disconnects(1)
        // Two rounds: a connect is on the disk, behind all that was written earlier, before its callback leaves.
        const accepted = [...(yield* open(gateway, 5)), ...(yield* open(gateway, 5))]
        const before = backend.calls().length
        assert.equal(before, 13)

        yield* server.kill9
        assert.deepEqual(backend.calls().length, before)
        yield* server.start
        const heard = () =>
          backend
            .calls()
            .slice(before)
            .filter(({ action }) => action === "disconnect")
        yield* backend.until(() => heard().length >= 10)
        assert.deepEqual(tokens(heard()), tokens(accepted))
        assert.deepEqual(reasons(heard()), ["error"])
        for (const { target, token } of accepted) {
          const call = heard().find((one) => one.token === token)
          assert.equal(call?.request.url, target)
          yield* gateway.assertGone(token)
        }

        // Nothing of it is left for a later start.
        yield* gateway.callsAfterAnother
        assert.equal(yield* server.stop, 0)
        yield* server.start
        yield* gateway.callsAfterAnother
        assert.equal(yield* server.stop, 0)
        assert.equal(heard().length, 12)
        assert.equal(new Set(tokens(heard())).size, 12)
      })
  )

  it.scopedLive("during the callback is told as well: the backend may have said yes (promise 7, S39)", () =>
    Effect.gen(function* () {
      const { backend, gateway, server } = yield* started()
      backend.onConnect(TestBackend.always(TestBackend.never))
      yield* Effect.fork(Effect.exit(gateway.open("/sse/held")))
      const [connect] = yield* backend.connects(1)
      assert.ok(connect)
      yield* server.kill9
      backend.onConnect(TestBackend.always(TestBackend.accept))
      yield* server.start
      const [disconnect] = yield* backend.disconnects(1)
      assert.ok(disconnect)
      assert.deepEqual([disconnect.token, disconnect.reason], [connect.token, "error"])
      assert.deepEqual(disconnect.json?.["request"], connect.json?.["request"])
      assert.equal(Gateway.told(yield* gateway.callsAfterAnother, "disconnect").length, 1)
      assert.equal(yield* server.stop, 0)
    })
  )
})

describe("kill -9 after a close was answered", () => {
  it.scopedLive("does not change what the backend hears: the end was recorded before the answer (S30, S39)", () =>
    Effect.gen(function* () {
      const { backend, gateway, server } = yield* started()
      const accepted = yield* open(gateway, 10)
      backend.onDisconnect(TestBackend.always(TestBackend.never))
      const closed = accepted.slice(0, 5)
      yield* Effect.forEach(closed, ({ token }) => gateway.mustSend({ token, close: true }), { concurrency: 5 })
      yield* server.kill9

      const before = backend.calls().length
      const heard = () =>
        backend
          .calls()
          .slice(before)
          .filter(({ action }) => action === "disconnect")
      // A backend that is not there yet is waited for.
      backend.onDisconnect(TestBackend.always(TestBackend.accept))
      yield* backend.stop
      yield* server.start
      assert.deepEqual(heard(), [])
      yield* backend.start
      yield* backend.until(() => heard().length >= 10)
      assert.deepEqual(tokens(heard()), tokens(accepted))
      const of = (reason: string) => tokens(heard().filter((call) => call.reason === reason))
      assert.deepEqual(of("server_closed"), tokens(closed))
      assert.deepEqual(of("error"), tokens(accepted.slice(5)))
      assert.equal(yield* server.stop, 0)
    })
  )
})

describe("SIGTERM of a gateway", () => {
  it.scopedLive(
    "tells the backend each accepted connect once, as shutdown, refuses new ones, and exits with 0 in its time (S44)",
    () =>
      Effect.gen(function* () {
        const { backend, gateway, server } = yield* started()
        const accepted = yield* open(gateway, 20)
        const released = yield* Effect.makeLatch()
        backend.onDisconnect(() => Effect.as(released.await, TestBackend.accept))
        const session = yield* gateway.watch("s")
        yield* session.named("sluice.hello")

        const begin = performance.now()
        yield* server.signal("SIGTERM")
        // The stop waits for the backend, so that what is refused meanwhile can be seen.
        yield* backend.disconnects(1)
        yield* session.named("sluice.bye")
        for (const path of ["/readyz", "/sse/too-late"]) {
          const answer = yield* Effect.either(Requests.send(`${server.url}${path}`))
          assert.ok(answer._tag === "Left" || answer.right.status === 503, path)
        }
        yield* released.open
        assert.equal(yield* server.ended, 0, server.said())
        const took = performance.now() - begin
        assert.ok(took < 10_000, `the stop took ${took} ms`)

        for (const { client } of accepted) {
          const { isComplete, text } = yield* client.ended
          assert.deepEqual([isComplete, text], [true, ""])
        }
        const heard = backend.calls().filter(({ action }) => action === "disconnect")
        assert.deepEqual(tokens(heard), tokens(accepted))
        assert.deepEqual(reasons(heard), ["shutdown"])
        assert.equal(backend.calls().length, 40)

        yield* server.start
        yield* gateway.callsAfterAnother
        assert.equal(yield* server.stop, 0)
        assert.equal(backend.calls().length, 42)
      })
  )

  it.scopedLive("during a callback is told to the backend too, which says yes only then (promise 7, S44)", () =>
    Effect.gen(function* () {
      const { backend, gateway, server } = yield* started()
      const [other] = yield* open(gateway, 1)
      const released = yield* Effect.makeLatch()
      backend.onConnect(() => Effect.as(released.await, TestBackend.accept))
      const waiting = yield* Effect.fork(Effect.either(gateway.open("/sse/held")))
      yield* backend.connects(2)
      const token = gateway.tokenOf("/sse/held")
      yield* server.signal("SIGTERM")
      yield* backend.disconnects(1, other?.token)
      yield* released.open
      assert.equal(yield* server.ended, 0, server.said())
      const answer = yield* Fiber.join(waiting)
      if (answer._tag === "Right" && answer.right.status === 200) yield* answer.right.ended
      yield* server.start
      yield* gateway.callsAfterAnother
      assert.equal(yield* server.stop, 0)
      const heard = yield* backend.disconnects(1, token)
      assert.equal(heard.length, 1)
    })
  )

  it.scopedLive(
    "does not wait longer than its time for a backend that is silent; it hears it at the next start (S44)",
    () =>
      Effect.gen(function* () {
        const { backend, gateway, server } = yield* started({
          SLUICE_DRAIN_SECONDS: "3",
          CALLBACK_TIMEOUT_SECONDS: "60"
        })
        const accepted = yield* open(gateway, 5)
        backend.onDisconnect(TestBackend.always(TestBackend.never))
        const begin = performance.now()
        assert.equal(yield* server.stop, 0, server.said())
        const took = performance.now() - begin
        assert.ok(took < 6_000, `the stop took ${took} ms`)
        const before = backend.calls().length
        backend.onDisconnect(TestBackend.always(TestBackend.accept))
        yield* server.start
        const heard = () =>
          backend
            .calls()
            .slice(before)
            .filter(({ action }) => action === "disconnect")
        yield* backend.until(() => heard().length >= 5)
        assert.deepEqual(tokens(heard()), tokens(accepted))
        assert.deepEqual(reasons(heard()), ["shutdown"])
        assert.equal(yield* server.stop, 0)
      })
  )
})

describe("a second signal to a gateway", () => {
  for (const [signal, status] of [
    ["SIGTERM", 143],
    ["SIGINT", 130]
  ] as const) {
    it.scopedLive(`ends its stop at once with ${status}, and the next start tells the backend what is owed (S45)`, () =>
      Effect.gen(function* () {
        const { backend, gateway, server } = yield* started()
        const accepted = yield* open(gateway, 10)
        backend.onDisconnect(TestBackend.always(TestBackend.never))
        yield* server.signal(signal)
        yield* backend.disconnects(1)
        const ended = yield* Effect.fork(server.ended)
        const begin = performance.now()
        yield* server.signal(signal)
        assert.equal(yield* Fiber.join(ended), status, server.said())
        assert.ok(performance.now() - begin < 2_000, "not at once")

        const before = backend.calls().length
        backend.onDisconnect(TestBackend.always(TestBackend.accept))
        yield* server.start
        const heard = () =>
          backend
            .calls()
            .slice(before)
            .filter(({ action }) => action === "disconnect")
        yield* backend.until(() => heard().length >= 10)
        yield* gateway.callsAfterAnother
        assert.equal(yield* server.stop, 0)
        assert.deepEqual(tokens(heard()).length, 11)
        for (const { token } of accepted) {
          assert.deepEqual(Gateway.told(heard(), "disconnect").filter((call) => call.token === token).length, 1)
        }
      })
    )
  }
})

describe("profile ssegateway", () => {
  it.scopedLive("starts with a heartbeat that is none: a line says so, and it is 15 (S151)", () =>
    Effect.gen(function* () {
      for (const interval of ["0", "abc", "1.5"]) {
        const { gateway, server } = yield* started({
          SLUICE_GATEWAY_PROFILE: "ssegateway",
          HEARTBEAT_INTERVAL_SECONDS: interval
        })
        const lines = server.said().split("\n")
        const complaint = lines.filter((line) => line.includes("HEARTBEAT_INTERVAL_SECONDS") && line.includes(interval))
        assert.ok(
          complaint.some((line) => /error/i.test(line)),
          server.said()
        )
        const { client } = yield* gateway.accepted("/any/path")
        yield* client.until((text) => text === "event: ready\ndata:\n\n")
        assert.equal(yield* server.stop, 0)
      }
    })
  )
})
