import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Fiber, Layer, TestClock } from "effect"
import * as CallbackHandler from "../../src/backend/CallbackHandler.ts"
import * as ConnectionManager from "../../src/backend/ConnectionManager.ts"
import * as LocalCallbacks from "../../src/backend/LocalCallbacks.ts"
import { Callbacks } from "../../src/callback/Callbacks.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"

const request = JSON.stringify({ url: "/stream?request_id=R1", headers: { cookie: "alice" } })

/** The gateway's side first; `attach` builds the application above it. */
const make = (options?: CallbackHandler.Options) =>
  Effect.gen(function* () {
    const below = yield* Layer.build(LocalCallbacks.layer())
    const services = CallbackHandler.layer(options).pipe(
      Layer.provideMerge(ConnectionManager.layer()),
      Layer.provide(TestGateway.layer)
    )
    const above = yield* Layer.build(services)
    const attach = Layer.build(
      LocalCallbacks.attached.pipe(Layer.provide(Layer.succeedContext(Context.merge(below, above))))
    )
    return {
      attach,
      callbacks: Context.get(below, Callbacks),
      manager: Context.get(above, ConnectionManager.ConnectionManager)
    }
  })

describe("LocalCallbacks", () => {
  it.scoped("brings connects and disconnects to the application of the same process, and its answer back (S139)", () =>
    Effect.gen(function* () {
      const { attach, callbacks, manager } = yield* make({
        admit: ({ headers }) =>
          Effect.succeed({
            subject: String(headers["cookie"]),
            watch: [{ session: "s1", from: "start" as const }],
            expiresIn: Duration.minutes(1)
          })
      })
      yield* attach
      const answer = yield* callbacks.connect({ token: "T1", request })
      assert.equal(answer.requestId, "R1")
      assert.deepEqual(
        answer.watch.map(({ session }) => String(session)),
        ["s1"]
      )
      assert.deepEqual(answer.expiresIn, Duration.minutes(1))
      assert.equal(manager.find("R1")?.subject, "alice")
      yield* callbacks.disconnect({ token: "T1", request, reason: "client_closed" })
      assert.isUndefined(manager.find("R1"))
    })
  )

  it.scoped("lets callbacks wait until the application is there", () =>
    Effect.gen(function* () {
      const { attach, callbacks } = yield* make()
      const waiting = yield* Effect.fork(callbacks.connect({ token: "T1", request }))
      yield* settled
      assert.isNull(waiting.unsafePoll())
      yield* attach
      assert.equal((yield* Fiber.join(waiting)).requestId, "R1")
    })
  )

  for (const [what, admit] of [
    ["hangs", Effect.never],
    ["hangs and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.scoped(`gives up after 5 seconds when the application ${what}`, () =>
      Effect.gen(function* () {
        const { attach, callbacks } = yield* make({ admit: () => admit })
        yield* attach
        const waiting = yield* Effect.fork(Effect.flip(callbacks.connect({ token: "T1", request })))
        yield* TestClock.adjust("4999 millis")
        assert.isNull(waiting.unsafePoll())
        yield* TestClock.adjust("1 millis")
        assert.equal((yield* Fiber.join(waiting))._tag, "BackendTimeout")
      })
    )
  }

  for (const [what, options, call, status] of [
    [
      "refuses",
      { admit: () => Effect.fail(new CallbackHandler.ConnectRefused({ status: 403, message: "not you" })) },
      request,
      403
    ],
    ["dies", { admit: () => Effect.die("broken") }, request, 500],
    ["has no request id", {}, JSON.stringify({ url: "/", headers: {} }), 400]
  ] as const) {
    it.scoped(`is refused with ${status} when the application ${what}`, () =>
      Effect.gen(function* () {
        const { attach, callbacks, manager } = yield* make(options)
        yield* attach
        const error = yield* Effect.flip(callbacks.connect({ token: "T1", request: call }))
        assert.deepInclude({ ...error }, { _tag: "BackendRefused", status })
        assert.deepEqual(manager.all(), [])
      })
    )
  }

  it.scoped("ignores a connect whose client has left while the application was thinking", () =>
    Effect.gen(function* () {
      const thought = yield* Deferred.make<void>()
      const { attach, callbacks, manager } = yield* make({ admit: () => Effect.as(Deferred.await(thought), {}) })
      yield* attach
      const waiting = yield* Effect.fork(callbacks.connect({ token: "T1", request }))
      yield* settled
      yield* callbacks.disconnect({ token: "T1", request, reason: "client_closed" })
      yield* Deferred.succeed(thought, undefined)
      yield* Fiber.join(waiting)
      assert.deepEqual(manager.all(), [])
    })
  )
})
