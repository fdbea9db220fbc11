import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import { call, callbacks, makeLatch } from "./RawBackend.ts"

describe("many calls at once", () => {
  /** Holds all requests until the latch opens, then tells each its token; `peak` is the most that it held. */
  const holding = Effect.gen(function* () {
    const backend = yield* TestBackend.make
    const latch = yield* makeLatch
    let held = 0
    let peak = 0
    const hold: TestBackend.Script = ({ token }) =>
      Effect.gen(function* () {
        held += 1
        peak = Math.max(peak, held)
        yield* latch.opened
        held -= 1
        return TestBackend.acceptWith({ request_id: token })
      })
    backend.onConnect(hold)
    backend.onDisconnect(hold)
    return { backend, latch, peak: () => peak }
  })

  const tokens = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`)

  it.scopedLive("each get their own answer: 100", () =>
    Effect.gen(function* () {
      const { backend, latch, peak } = yield* holding
      const { connect } = yield* callbacks(backend.url)
      const asked = tokens(100)
      const fiber = yield* Effect.fork(
        Effect.forEach(asked, (token) => connect({ ...call, token }), { concurrency: "unbounded" })
      )
      yield* backend.connects(100)
      latch.open()
      const answers = yield* Fiber.join(fiber)
      assert.deepEqual(
        answers.map(({ requestId }) => requestId),
        asked
      )
      assert.equal(peak(), 100)
    })
  )

  it.scopedLive("are at most 256 at the backend; the rest wait here, and who leaves meanwhile is never sent", () =>
    Effect.gen(function* () {
      const { backend, latch, peak } = yield* holding
      const { connect } = yield* callbacks(backend.url)
      const asked = tokens(600)
      const fibers = yield* Effect.forEach(asked, (token) => Effect.fork(connect({ ...call, token })))
      yield* backend.connects(256)
      const [leaving, staying] = [fibers.slice(300, 400), [...fibers.slice(0, 300), ...fibers.slice(400)]]
      yield* Fiber.interruptAll(leaving)
      latch.open()
      yield* Fiber.joinAll(staying)
      assert.equal(peak(), 256)
      const heard = backend.calls().map(({ token }) => token)
      assert.deepEqual(heard.toSorted(), [...asked.slice(0, 300), ...asked.slice(400)].toSorted())
    })
  )

  it.scoped(
    "leave half of the sockets to connects, however many disconnects there are, which wait for their time",
    () =>
      Effect.gen(function* () {
        const { backend, latch, peak } = yield* holding
        backend.onConnect(TestBackend.always(TestBackend.accept))
        const { connect, disconnect } = yield* callbacks(backend.url)
        const asked = tokens(400)
        const fiber = yield* Effect.fork(
          Effect.forEach(asked, (token) => Effect.either(disconnect({ ...call, token, reason: "shutdown" })), {
            concurrency: "unbounded"
          })
        )
        yield* backend.disconnects(128)
        yield* connect(call)
        assert.equal(peak(), 128)
        yield* TestClock.adjust("1 minute")
        yield* backend.disconnects(256)
        latch.open()
        const outcomes = yield* Fiber.join(fiber)
        assert.deepEqual(
          outcomes.map(({ _tag }) => _tag),
          asked.map((_, index) => (index < 128 ? "Left" : "Right"))
        )
      })
  )
})
