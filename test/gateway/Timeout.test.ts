import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Gateway from "./Gateway.ts"

/** In seconds; real time, since the calls go over real sockets. */
const timeout = (seconds: number): Gateway.Options => ({ env: { CALLBACK_TIMEOUT_SECONDS: String(seconds) } })

/** What becomes of one connect; the connects after it are accepted. */
const refused = (gateway: Gateway.Gateway, reply: TestBackend.Reply, status: number, code: string) =>
  Effect.gen(function* () {
    gateway.backend.onConnect(TestBackend.inTurn(reply, TestBackend.accept))
    const [took, answer] = yield* Effect.timed(gateway.call("/sse/x"))
    Gateway.assertRefused(answer, status, code)
    const token = gateway.tokenOf("/sse/x")
    yield* gateway.assertGone(token)
    return { token, took: Duration.toMillis(took) }
  })

/** That the backend, which may have said yes, hears of the end once. */
const assertHeardOnce = (gateway: Gateway.Gateway, token: string) =>
  Effect.gen(function* () {
    yield* gateway.backend.disconnects(1, token)
    const calls = yield* gateway.callsAfterAnother
    assert.deepEqual(Gateway.told(calls, "connect"), [{ token, reason: "" }])
    assert.deepEqual(Gateway.told(calls, "disconnect"), [{ token, reason: "error" }])
  })

describe("a callback that is not answered in time", () => {
  it.scopedLive("is broken off: 504, and the backend hears of the end, as it may have said yes (S10)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(timeout(1))
      const { token, took } = yield* refused(gateway, TestBackend.never, 504, "GATEWAY_TIMEOUT")
      assert.ok(took >= 990 && took < 4000, `after ${took} ms`)
      const [call] = yield* gateway.backend.connects(1)
      yield* call?.aborted ?? Effect.void
      yield* assertHeardOnce(gateway, token)
    })
  )

  it.scopedLive("is one whose 200 has a body that never ends, too: the limit is for head and body together (S11)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make(timeout(1))
      const { token, took } = yield* refused(gateway, TestBackend.endless, 504, "GATEWAY_TIMEOUT")
      assert.ok(took >= 990 && took < 4000, `after ${took} ms`)
      const [call] = yield* gateway.backend.connects(1)
      yield* call?.aborted ?? Effect.void
      yield* assertHeardOnce(gateway, token)
    })
  )
})

describe("a callback whose 200 breaks in the middle of its body", () => {
  it.scopedLive("is 503 at once, and the backend, which had said yes, hears of the end (S11)", () =>
    Effect.gen(function* () {
      // Far longer than this test may take.
      const gateway = yield* Gateway.make(timeout(300))
      const { token } = yield* refused(gateway, TestBackend.cut, 503, "BACKEND_UNAVAILABLE")
      yield* assertHeardOnce(gateway, token)
    })
  )
})
