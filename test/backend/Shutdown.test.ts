import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, TestClock } from "effect"
import * as Shutdown from "../../src/backend/Shutdown.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import { settled } from "../store/StoreWriterTurn.ts"

/** The log around it: services log with the loggers of when they were made. */
const layer = Shutdown.layer({ budget: Duration.seconds(3) }).pipe(Layer.provideMerge(CapturedLog.layer))

const steps =
  (said: Array<string>) =>
  (name: string, wait: Effect.Effect<void> = Effect.void) =>
    Effect.zipRight(
      wait,
      Effect.sync(() => void said.push(name))
    )

describe("Shutdown", () => {
  it.scoped(
    "prepares, then waits, then stops, each phase after the former, whatever the order of registration (S138)",
    () =>
      Effect.gen(function* () {
        const shutdown = yield* Shutdown.Shutdown
        const said: Array<string> = []
        const step = steps(said)
        yield* shutdown.onStop("stop", step("stop"))
        yield* shutdown.onWait("wait", step("wait", Effect.sleep("1 second")))
        yield* shutdown.onPrepare("prepare", step("prepare", Effect.sleep("1 second")))
        const stop = yield* Effect.fork(shutdown.begin)
        yield* TestClock.adjust("999 millis")
        assert.deepEqual(said, [])
        yield* TestClock.adjust("1 millis")
        assert.deepEqual(said, ["prepare"])
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(stop)
        assert.deepEqual(said, ["prepare", "wait", "stop"])
      }).pipe(Effect.provide(layer))
  )

  it.scoped("says from its first moment that it has begun, so that nothing new begins (S138)", () =>
    Effect.gen(function* () {
      const shutdown = yield* Shutdown.Shutdown
      assert.isFalse(shutdown.hasBegun())
      let whilePreparing = false
      yield* shutdown.onPrepare("look", Effect.sync(() => (whilePreparing = shutdown.hasBegun())).pipe(Effect.asVoid))
      yield* shutdown.begin
      assert.isTrue(whilePreparing)
    }).pipe(Effect.provide(layer))
  )

  it.scoped("gives all who wait one budget together, at the same time, and then stops without them (S138)", () =>
    Effect.gen(function* () {
      const shutdown = yield* Shutdown.Shutdown
      const log = yield* CapturedLog.CapturedLog
      const said: Array<string> = []
      const step = steps(said)
      yield* shutdown.onWait("slow", step("slow", Effect.sleep("2 seconds")))
      yield* shutdown.onWait("endless", step("endless", Effect.never))
      yield* shutdown.onWait("stubborn", step("stubborn", Effect.uninterruptible(Effect.never)))
      yield* shutdown.onStop("stop", step("stop"))
      const stop = yield* Effect.fork(shutdown.begin)
      yield* TestClock.adjust("2999 millis")
      assert.deepEqual(said, ["slow"])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stop)
      assert.deepEqual(said, ["slow", "stop"])
      for (const name of ["endless", "stubborn"]) {
        assert.lengthOf(
          log.filter(({ text }) => text.includes(`wait of ${name} failed`)),
          1
        )
      }
      assert.isFalse(log.some(({ text }) => text.includes("wait of slow")))
    }).pipe(Effect.provide(layer))
  )

  for (const [what, run] of [
    ["fails", Effect.fail("broken")],
    ["dies", Effect.die(new Error("broken"))],
    ["interrupts itself", Effect.interrupt],
    ["hangs", Effect.never],
    ["hangs and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const) {
    for (const phase of ["onPrepare", "onStop"] as const) {
      it.scoped(`names a step of ${phase} that ${what} in the log, and stops nothing for it (S138)`, () =>
        Effect.gen(function* () {
          const shutdown = yield* Shutdown.Shutdown
          const log = yield* CapturedLog.CapturedLog
          const said: Array<string> = []
          const step = steps(said)
          yield* shutdown[phase]("the culprit", run)
          yield* shutdown[phase]("beside", step("beside"))
          yield* shutdown.onStop("last", step("last"))
          const stop = yield* Effect.fork(shutdown.begin)
          yield* TestClock.adjust("2 seconds")
          yield* Fiber.join(stop)
          assert.deepEqual(said, ["beside", "last"])
          assert.lengthOf(
            log.filter(({ level, text }) => level === "WARN" && text.includes("the culprit")),
            1
          )
        }).pipe(Effect.provide(layer))
      )
    }
  }

  it.scoped("stops once: a second call waits for the first stop, and what came is not run again", () =>
    Effect.gen(function* () {
      const shutdown = yield* Shutdown.Shutdown
      const said: Array<string> = []
      const step = steps(said)
      yield* shutdown.onWait("wait", step("wait", Effect.sleep("1 second")))
      const first = yield* Effect.fork(shutdown.begin)
      yield* settled
      const second = yield* Effect.fork(shutdown.begin)
      yield* TestClock.adjust("999 millis")
      assert.isNull(second.unsafePoll())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.joinAll([first, second])
      yield* shutdown.begin
      assert.deepEqual(said, ["wait"])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("goes on when whoever began the stop leaves, so that the next one does not find it half done", () =>
    Effect.gen(function* () {
      const shutdown = yield* Shutdown.Shutdown
      const said: Array<string> = []
      const step = steps(said)
      yield* shutdown.onWait("wait", step("wait", Effect.sleep("1 second")))
      yield* shutdown.onStop("stop", step("stop"))
      const first = yield* Effect.fork(shutdown.begin)
      yield* settled
      yield* Fiber.interrupt(first)
      const second = yield* Effect.fork(shutdown.begin)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(second)
      assert.deepEqual(said, ["wait", "stop"])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("runs no step whose scope has closed", () =>
    Effect.gen(function* () {
      const shutdown = yield* Shutdown.Shutdown
      const said: Array<string> = []
      yield* Effect.scoped(shutdown.onStop("gone", steps(said)("gone")))
      yield* shutdown.begin
      assert.deepEqual(said, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("begins with the release of what is on top of the services, with all of its time limits", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const step = steps(said)
      const service = Layer.scopedDiscard(
        Effect.gen(function* () {
          const shutdown = yield* Shutdown.Shutdown
          yield* Effect.addFinalizer(() => step("released"))
          yield* shutdown.onWait("endless", Effect.never)
          yield* shutdown.onStop("stop", step("stop"))
        })
      )
      const stopped = yield* Effect.fork(
        Shutdown.onRelease.pipe(Layer.provideMerge(service), Layer.provide(layer), Layer.build, Effect.scoped)
      )
      yield* TestClock.adjust("2999 millis")
      assert.deepEqual(said, [])
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stopped)
      assert.deepEqual(said, ["stop", "released"])
    })
  )
})
