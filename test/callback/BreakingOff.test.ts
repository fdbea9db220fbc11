import * as assert from "node:assert/strict"
import { pipeline, Readable } from "node:stream"
import { describe, it } from "@effect/vitest"
import { Effect, Either, Fiber, Option, TestClock } from "effect"
import { BackendRefused, BackendTimeout } from "../../src/callback/Callbacks.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import { call, callbacks, closed, failureOf, http } from "./RawBackend.ts"

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
  /** Refuses, and goes on with this body for as long as it is read. */
  const refusing = (body: Readable) =>
    http((_, response) => {
      response.writeHead(403).flushHeaders()
      pipeline(body, response, () => {}) // broken off by the reader
    })

  it.scopedLive("is told at once though its body is endless, which is broken off soon", () =>
    Effect.gen(function* () {
      const { sockets, url } = yield* refusing(new Readable({ read: () => {} }))
      assert.deepEqual(yield* failureOf(url), new BackendRefused({ status: 403, reason: "Forbidden" }))
      yield* Effect.forEach([...sockets], closed)
    })
  )

  it.scopedLive("is told at once though its body is gigantic, of which little is read", () =>
    Effect.gen(function* () {
      let read = 0
      const part = Buffer.alloc(64 * 1024)
      const body = new Readable({
        read() {
          read += part.length
          this.push(part)
        }
      })
      const { sockets, url } = yield* refusing(body)
      assert.deepEqual(yield* failureOf(url), new BackendRefused({ status: 403, reason: "Forbidden" }))
      yield* Effect.forEach([...sockets], closed)
      assert.ok(read < 32 * 1024 * 1024, `${read} bytes`) // what the buffers of both sockets take
    })
  )
})
