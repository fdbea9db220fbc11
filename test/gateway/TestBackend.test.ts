import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Either, Fiber } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"

const callback = (backend: TestBackend.TestBackend, action: string, token: string) =>
  Call.call(backend.url, "/callback?x=1", {
    method: "POST",
    headers: { "X-Custom": "c", Connection: "close" },
    body: JSON.stringify({ action, token, request: { url: "/sse/x", headers: { cookie: "a" } } })
  })

describe("TestBackend", () => {
  it.scopedLive("accepts and records every call, in the order of arrival (S161)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const second = yield* Effect.fork(backend.connects(2))
      assert.equal((yield* callback(backend, "connect", "1")).status, 200)
      assert.equal((yield* callback(backend, "disconnect", "1")).status, 200)
      assert.equal((yield* callback(backend, "connect", "2")).status, 200)
      assert.equal((yield* Call.call(backend.url, "/elsewhere")).status, 404)
      assert.deepEqual(
        (yield* Fiber.join(second)).map(({ token }) => token),
        ["1", "2"]
      )
      assert.deepEqual(
        backend.calls().map(({ action, method, target, token }) => [method, target, action, token]),
        [
          ["POST", "/callback?x=1", "connect", "1"],
          ["POST", "/callback?x=1", "disconnect", "1"],
          ["POST", "/callback?x=1", "connect", "2"],
          ["GET", "/elsewhere", "", ""]
        ]
      )
      const [first] = backend.calls()
      assert.ok(first)
      assert.equal(first.headers["x-custom"], "c")
      assert.deepEqual(first.request, { url: "/sse/x", headers: { cookie: "a" } })
      assert.deepEqual(JSON.parse(first.text), first.json)
    })
  )

  it.scopedLive("answers as it is told, one after the other, and holds back as long as it is told (S161)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const latch = yield* Effect.makeLatch()
      backend.onConnect(
        TestBackend.inTurn(TestBackend.answer(503, { reason: "Not Now" }), TestBackend.acceptWith({ a: 1 }))
      )
      assert.equal((yield* callback(backend, "connect", "1")).status, 503)
      for (let again = 0; again < 2; again++) assert.equal((yield* callback(backend, "connect", "2")).text, '{"a":1}')
      backend.onDisconnect(() => Effect.as(latch.await, TestBackend.answer(204)))
      const held = yield* Effect.fork(callback(backend, "disconnect", "1"))
      yield* backend.disconnects(1, "1")
      assert.equal((yield* callback(backend, "connect", "2")).status, 200)
      assert.ok((yield* Fiber.poll(held))._tag === "None")
      yield* latch.open
      assert.equal((yield* Fiber.join(held)).status, 204)
    })
  )

  it.scopedLive("is silent, resets, cuts or never ends its answer, and knows when its caller gives up (S161)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const knock = (action: string) => Effect.forkScoped(callback(backend, action, action))
      backend.onConnect(TestBackend.always(TestBackend.never))
      const caller = yield* knock("connect")
      const [call] = yield* backend.connects(1)
      yield* Fiber.interrupt(caller)
      yield* call?.aborted ?? Effect.void

      const open = Effect.suspend(() => StreamClient.open(backend.url))
      assert.equal((yield* open).status, 404)
      backend.onConnect(TestBackend.always(TestBackend.reset))
      assert.ok((yield* Effect.exit(callback(backend, "connect", "2")))._tag === "Failure")
      backend.onConnect(TestBackend.always(TestBackend.endless))
      const endless = yield* knock("connect")
      const [, , third] = yield* backend.connects(3)
      assert.ok((yield* Fiber.poll(endless))._tag === "None")
      yield* Fiber.interrupt(endless)
      yield* third?.aborted ?? Effect.void
    })
  )

  it.scopedLive("goes away and comes back at the same place, with all that it heard (S161)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      assert.equal((yield* callback(backend, "connect", "1")).status, 200)
      yield* backend.stop
      assert.ok(Either.isLeft(yield* Effect.either(StreamClient.open(backend.url))))
      yield* backend.start
      assert.equal((yield* callback(backend, "connect", "2")).status, 200)
      assert.deepEqual(
        (yield* backend.connects(2)).map(({ token }) => token),
        ["1", "2"]
      )
    })
  )
})
