import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Either, Fiber, TestClock } from "effect"
import { BackendCall } from "../../src/callback/BackendCall.ts"
import { BackendUnavailable, type CallbackError } from "../../src/callback/Callbacks.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import { failureOf, http, makeLatch, tcp } from "./RawBackend.ts"

const nothing = (): void => {}

const assertUnavailable = (error: CallbackError, mayHaveAccepted: boolean, problem: RegExp) => {
  assert.ok(error instanceof BackendUnavailable, String(error))
  assert.match(error.problem, problem)
  assert.doesNotMatch(error.problem, /object Object|^$|\n/)
  assert.equal(error.mayHaveAccepted, mayHaveAccepted)
}

describe("a backend that was not reached has not accepted", () => {
  it.scopedLive("when its port is refused (S12)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      yield* backend.stop
      assertUnavailable(yield* failureOf(backend.url), false, /ECONNREFUSED/)
      const localhost = backend.url.replace("127.0.0.1", "localhost")
      assertUnavailable(yield* failureOf(localhost), false, /ECONNREFUSED/)
    })
  )

  it.scopedLive("when its host has no address, whatever word is in the name (S12, S13)", () =>
    Effect.gen(function* () {
      assertUnavailable(yield* failureOf("http://timeout.test/"), false, /timeout\.test|time limit/)
    })
  )

  it.scopedLive("when it does not speak TLS", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      assertUnavailable(yield* failureOf(backend.url.replace("http:", "https:")), false, /./)
      assert.deepEqual(backend.calls(), [])
    })
  )

  it.scoped("when no connection came about within the time limit", () =>
    Effect.gen(function* () {
      const knocked = yield* makeLatch
      // Its TLS handshake never ends.
      const { port } = yield* tcp((socket) => socket.once("data", knocked.open))
      const fiber = yield* Effect.fork(failureOf(`https://127.0.0.1:${port}/`))
      yield* knocked.opened
      yield* TestClock.adjust("1 minute")
      assertUnavailable(yield* Fiber.join(fiber), false, /^no connection within the time limit$/)
    })
  )
})

describe("a backend that has the request may have accepted", () => {
  it.scopedLive("when it resets before its answer (S12)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      backend.onConnect(TestBackend.always(TestBackend.reset))
      assertUnavailable(yield* failureOf(backend.url), true, /^no answer: /)
      assert.equal(backend.calls().length, 1)
    })
  )

  it.scopedLive("when it closes before its answer", () =>
    Effect.gen(function* () {
      const { url } = yield* http((request) => request.socket.end())
      assertUnavailable(yield* failureOf(url), true, /^no answer: other side closed$/)
    })
  )

  it.scopedLive("when the body of its 200 is cut off (S11)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      backend.onConnect(TestBackend.always(TestBackend.cut))
      assertUnavailable(yield* failureOf(backend.url), true, /^broken off within its answer 200: /)
    })
  )

  it.scopedLive("when its answer is no HTTP", () =>
    Effect.gen(function* () {
      const { port } = yield* tcp((socket) => socket.once("data", () => socket.end("SSH-2.0-hello\r\n")))
      assertUnavailable(yield* failureOf(`http://127.0.0.1:${port}/`), true, /^no answer: .*HTTP/)
    })
  )
})

describe("a failure that nobody expects", () => {
  const failures: ReadonlyArray<readonly [says: string, failure: unknown, problem: RegExp]> = [
    ["text", "socket says no", /socket says no/],
    ["an object", { why: "because" }, /"why":"because"/],
    ["nothing", undefined, /undefined/],
    ["an error without a message", new Error(""), /Error/],
    ["an error with a code only", Object.assign(new Error(""), { code: "ETIMEDOUT" }), /ETIMEDOUT/]
  ]
  for (const [says, failure, problem] of failures) {
    it(`is read by whether the request had left, not by its words: ${says} (S13)`, () => {
      for (const hasStarted of [false, true]) {
        const asked = new BackendCall([], "", { again: nothing, left: nothing })
        let outcome: Either.Either<unknown, CallbackError> | undefined
        asked.onDone = (result) => {
          outcome = result
        }
        const controller = {
          aborted: false,
          paused: false,
          reason: null,
          abort: nothing,
          pause: nothing,
          resume: nothing
        }
        if (hasStarted) asked.onRequestStart(controller)
        asked.onResponseError(controller, failure)
        assert.ok(outcome !== undefined && Either.isLeft(outcome))
        assertUnavailable(outcome.left, hasStarted, problem)
      }
    })
  }
})
