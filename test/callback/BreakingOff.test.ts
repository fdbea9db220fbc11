import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Either, Fiber, Option, TestClock } from "effect"
import { BackendCall } from "../../src/callback/BackendCall.ts"
import { BackendRefused, BackendTimeout, BackendUnavailable, type CallbackError } from "../../src/callback/Callbacks.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import { call, callbacks, closed, http, makeLatch, tcp } from "./RawBackend.ts"

const nothing = (): void => {}

/** A connect that fails, and why. Real time, unless the test's clock stands. */
const failureOf = (url: string) => Effect.flatMap(callbacks(url), ({ connect }) => Effect.flip(connect(call)))

const assertUnavailable = (error: CallbackError, mayHaveAccepted: boolean, problem: RegExp) => {
  assert.ok(error instanceof BackendUnavailable, String(error))
  assert.match(error.problem, problem)
  assert.doesNotMatch(error.problem, /object Object|^$|\n/)
  assert.equal(error.mayHaveAccepted, mayHaveAccepted)
}

describe("the time limit", () => {
  const silent: ReadonlyArray<readonly [says: string, reply: TestBackend.Reply]> = [
    ["no answer (S10)", TestBackend.never],
    ["a 200 whose body never ends (S11)", TestBackend.endless]
  ]
  for (const [says, reply] of silent) {
    it.scoped(`cuts off ${says}, and the backend sees that`, () =>
      Effect.gen(function* () {
        const backend = yield* TestBackend.make
        backend.onConnect(TestBackend.always(reply))
        const fiber = yield* Effect.fork(failureOf(backend.url))
        const [heard] = yield* backend.connects(1)
        yield* TestClock.adjust("59999 millis")
        assert.deepEqual(yield* Fiber.poll(fiber), Option.none())
        yield* TestClock.adjust("1 millis")
        assert.deepEqual(yield* Fiber.join(fiber), new BackendTimeout())
        yield* heard?.aborted ?? Effect.void
      })
    )
  }

  it.scoped("is each call's own", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const { connect } = yield* callbacks(backend.url)
      const ask = (token: string) => Effect.fork(Effect.either(connect({ ...call, token })))
      backend.onConnect(TestBackend.inTurn(TestBackend.accept, TestBackend.never))
      yield* Effect.flatMap(ask("answered"), Fiber.join)
      const first = yield* ask("first")
      yield* backend.connects(2)
      yield* TestClock.adjust("20 seconds")
      const second = yield* ask("second")
      yield* backend.connects(3)
      yield* TestClock.adjust("40 seconds")
      assert.deepEqual(yield* Fiber.join(first), Either.left(new BackendTimeout()))
      yield* TestClock.adjust("19999 millis")
      assert.deepEqual(yield* Fiber.poll(second), Option.none())
      yield* TestClock.adjust("1 millis")
      assert.deepEqual(yield* Fiber.join(second), Either.left(new BackendTimeout()))
    })
  )
})

describe("a call that is interrupted", () => {
  it.scopedLive("is broken off, and the next one is made on another socket", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      backend.onConnect(TestBackend.inTurn(TestBackend.never, TestBackend.accept))
      const { connect } = yield* callbacks(backend.url)
      const fiber = yield* Effect.fork(connect(call))
      const [heard] = yield* backend.connects(1)
      yield* Fiber.interrupt(fiber)
      yield* heard?.aborted ?? Effect.void
      yield* connect(call)
      assert.equal(backend.calls().length, 2)
    })
  )
})

describe("a refusal", () => {
  /** Refuses with a body that goes on as `drip` says. */
  const refusing = (drip: (write: (chunk: string) => void) => NodeJS.Timeout) =>
    http((_, response) => {
      response.writeHead(403)
      const timer = drip((chunk) => response.write(chunk))
      response.once("close", () => clearInterval(timer))
    })

  const bodies: ReadonlyArray<
    readonly [says: string, drip: (write: (chunk: string) => void) => NodeJS.Timeout, soon: number]
  > = [
    ["gigantic", (write) => setInterval(() => write("x".repeat(16 * 1024)), 1), 700],
    ["endless", (write) => setInterval(() => write("x"), 20), 2000]
  ]
  for (const [says, drip, soon] of bodies) {
    it.scopedLive(`is told at once though its body is ${says}, which is soon broken off`, () =>
      Effect.gen(function* () {
        const { sockets, url } = yield* refusing(drip)
        assert.deepEqual(yield* failureOf(url), new BackendRefused({ status: 403, reason: "Forbidden" }))
        const begin = performance.now()
        yield* Effect.forEach([...sockets], closed)
        const took = performance.now() - begin
        assert.ok(took < soon, `after ${took} ms`)
      })
    )
  }
})
