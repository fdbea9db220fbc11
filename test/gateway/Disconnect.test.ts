import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import * as Gateway from "./Gateway.ts"

/** A script for one token; all others are accepted. */
const only =
  (token: string, script: TestBackend.Script): TestBackend.Script =>
  (call) =>
    call.token === token ? script(call) : Effect.succeed(TestBackend.accept)

describe("a client that goes away", () => {
  it.scopedLive("is one disconnect, with the token, url and headers of its connect, and its token is gone (S34)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { client, token } = yield* gateway.accepted("/sse/x%20y?a=1&b=", { Cookie: "c=1", "X-Custom": "value" })
      yield* gateway.say(token, "hello")
      yield* client.take(1)
      yield* client.abort
      const [disconnect] = yield* gateway.backend.disconnects(1)
      const [connect] = yield* gateway.backend.connects(1)
      assert.ok(connect && disconnect)
      assert.deepEqual(disconnect.json, {
        action: "disconnect",
        reason: "client_closed",
        token,
        request: connect.json?.["request"]
      })
      assert.equal(disconnect.request.url, "/sse/x%20y?a=1&b=")
      assert.match(disconnect.headers["content-type"] ?? "", /^application\/json/)
      yield* gateway.assertGone(token)
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
        { token, reason: "client_closed" }
      ])
    })
  )

  it.scopedLive("during the callback has no stream; a backend that then says yes hears of the end once (S35)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { release, token } = yield* gateway.leftDuringCallback(TestBackend.accept)
      yield* release
      const [disconnect] = yield* gateway.backend.disconnects(1, token)
      assert.equal(disconnect?.reason, "client_closed")
      yield* gateway.assertGone(token)
      assert.deepEqual(yield* gateway.connections, [])
      const calls = yield* gateway.callsAfterAnother
      assert.equal(Gateway.told(calls, "disconnect").filter((call) => call.token === token).length, 1)
    })
  )

  for (const status of [302, 403, 500]) {
    it.scopedLive(`during the callback that is then answered ${status} is not told: it never was there (S35)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const { release, token } = yield* gateway.leftDuringCallback(TestBackend.answer(status))
        yield* release
        const calls = yield* gateway.callsAfterAnother
        assert.ok(!Gateway.told(calls, "disconnect").some((call) => call.token === token))
        yield* gateway.assertGone(token)
        assert.deepEqual(yield* gateway.connections, [])
      })
    )
  }
})

describe("a disconnect that the backend does not take", () => {
  it.scopedLive("is tried again, later each time, until the first 2xx, while others' pass (S37)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      const { client, token } = yield* gateway.accepted()
      const unavailable = TestBackend.answer(503)
      backend.onDisconnect(
        only(token, TestBackend.inTurn(unavailable, unavailable, unavailable, TestBackend.answer(204)))
      )
      yield* client.abort
      yield* backend.disconnects(1, token)
      yield* gateway.assertGone(token)
      assert.equal(Gateway.told(yield* gateway.callsAfterAnother, "disconnect")[0]?.token, token)
      const tries = yield* backend.disconnects(4, token)
      const [first = 0, second = 0, third = 0, fourth = 0] = tries.map(({ at }) => at)
      assert.ok(
        fourth - third > second - first,
        `after ${[second - first, third - second, fourth - third].join(", ")} ms`
      )
      assert.equal(new Set(tries.map(({ text }) => text)).size, 1)
      yield* gateway.callsAfterAnother
      assert.equal((yield* backend.disconnects(4, token)).length, 4)
    })
  )

  it.scopedLive("because it hangs is cut off and tried again, and no other connection's callbacks wait (S37)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { CALLBACK_TIMEOUT_SECONDS: "1" } })
      const { backend } = gateway
      const { client, token } = yield* gateway.accepted()
      backend.onDisconnect(only(token, TestBackend.inTurn(TestBackend.never, TestBackend.accept)))
      yield* client.abort
      const [first] = yield* backend.disconnects(1, token)
      assert.ok(first)
      const cut = yield* Effect.fork(Effect.as(first.aborted, performance.now()))
      yield* gateway.assertGone(token)
      for (let other = 0; other < 10; other++) yield* gateway.callsAfterAnother
      yield* Fiber.join(cut)
      assert.equal((yield* backend.disconnects(2, token)).length, 2)
      yield* gateway.callsAfterAnother
      assert.equal((yield* backend.disconnects(2, token)).length, 2)
    })
  )

  it.scopedLive("because it is down is told when it is back, once, and the connection is freed at once (S37)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      const { client, token } = yield* gateway.accepted()
      yield* backend.stop
      yield* client.abort
      yield* gateway.untilGone(token)
      assert.deepEqual(yield* gateway.connections, [])
      yield* backend.start
      yield* backend.disconnects(1, token)
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
        { token, reason: "client_closed" }
      ])
    })
  )
})

describe("a request id that connects again", () => {
  const asR1 = TestBackend.acceptWith({ request_id: "R1" })

  it.scopedLive(
    "has its new stream at once, though the old one hangs; the old one ends and is told as replaced (S41)",
    () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const { backend } = gateway
        backend.onConnect(TestBackend.always(asR1))
        const old = yield* gateway.accepted()
        yield* gateway.say(old.token, "to the old")
        yield* old.client.take(1)
        yield* old.client.pause
        const large = "x".repeat(100_000)
        while ((yield* gateway.send({ token: old.token, event: { data: large } })).status === 200);
        const held = yield* Effect.makeLatch()
        backend.onDisconnect(only(old.token, () => Effect.as(held.await, TestBackend.accept)))

        const present = yield* gateway.accepted()
        yield* gateway.mustSend({ request_id: "R1", event: { data: "to the new" } })
        yield* present.client.find(({ data }) => data === "to the new")
        const [disconnect] = yield* backend.disconnects(1)
        assert.deepEqual([disconnect?.token, disconnect?.reason], [old.token, "replaced"])
        Call.assertError(yield* gateway.send({ token: old.token, event: { data: "late" } }), 404, "TOKEN_NOT_FOUND")
        assert.deepEqual(yield* gateway.openTokens, [present.token])
        yield* held.open
        yield* old.client.resume
        const { text } = yield* old.client.ended
        assert.doesNotMatch(text, /to the new|late/)

        backend.onConnect(TestBackend.always(TestBackend.accept))
        assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
          { token: old.token, reason: "replaced" }
        ])
        yield* gateway.mustSend({ request_id: "R1" })
      })
  )

  it.scopedLive("a hundred times at once has one stream in the end, and 99 were replaced (S42)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      backend.onConnect(TestBackend.always(asR1))
      const all = yield* Effect.all(
        Array.from({ length: 100 }, () => gateway.accepted()),
        { concurrency: 100 }
      )
      const replaced = yield* backend.disconnects(99)
      assert.deepEqual(new Set(replaced.map(({ reason }) => reason)), new Set(["replaced"]))
      const gone = new Set(replaced.map(({ token }) => token))
      assert.equal(gone.size, 99)
      const [present, ...more] = all.filter(({ token }) => !gone.has(token))
      assert.ok(present)
      assert.deepEqual(more, [])
      assert.deepEqual(yield* gateway.openTokens, [present.token])
      yield* gateway.mustSend({ request_id: "R1", event: { data: "to the last" } })
      yield* present.client.find(({ data }) => data === "to the last")
      for (const { client, token } of all.filter((one) => one !== present)) {
        assert.equal((yield* client.ended).text, "")
        yield* gateway.assertGone(token)
      }
      yield* gateway.mustSend({ token: present.token, close: true })
      yield* backend.disconnects(100)
      assert.equal((yield* gateway.send({ request_id: "R1" })).status, 404)
    })
  )
})
