import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Option, Scope, TestClock } from "effect"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { callOf, end, hangs, layer, refuses, rooms, until, untilCalls } from "./OutboxRooms.ts"

const counts = Effect.map(
  Effect.all([
    Metric.value(Metrics.disconnectsDelivered),
    Metric.value(Metrics.disconnectsRetried),
    Metric.value(Metrics.disconnectsGivenUp)
  ]),
  (states) => states.map(({ count }) => count)
)

/** How much delivered, retried and given_up grew since. */
const counted = Effect.map(counts, (before) =>
  Effect.map(counts, (after) => after.map((count, index) => count - (before[index] ?? 0)))
)

const fromTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

describe("DisconnectOutbox", () => {
  // promise 7
  it.effect("tells the backend of an end once, with what its connect said, and never again", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      const grown = yield* counted
      yield* end("t", "slow_consumer")
      yield* untilCalls(1)
      assert.deepEqual(backend.calls, [{ ...callOf("t", "slow_consumer"), at: 0 }])
      yield* outbox.drain
      yield* TestClock.adjust("2 days")
      assert.equal(backend.calls.length, 1)
      assert.deepEqual([yield* faulty.sound.owed(9), yield* faulty.sound.orphan(0)], [[], false])
      assert.deepEqual(yield* faulty.sound.owed(9), [])
      assert.deepEqual([yield* grown, outbox.size()], [[1, 0, 0], 0])
    }).pipe(Effect.provide(layer()))
  )

  // promise 7
  it.effect("is done with an end when it is recorded, whatever the backend does (S30)", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      backend.script = () => Effect.never
      yield* end("t")
      const [owed] = yield* faulty.sound.owed(9)
      assert.deepEqual([owed?.token, owed?.reason, outbox.size()], ["t", "client_closed", 1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("tries again with growing jittered delays until the first yes, then never again (S37)", () =>
    Effect.gen(function* () {
      const { backend, log } = yield* rooms
      const grown = yield* counted
      backend.script = (call, nth) => (nth <= 3 ? refuses(call, nth) : Effect.void)
      const tokens = fromTo(1, 8).map((index) => `t${index}`)
      for (const token of tokens) yield* end(token)
      yield* TestClock.adjust("1 hour")
      yield* settled
      for (const token of tokens) {
        const delays = backend.delays(token)
        assert.equal(delays.length, 3, token)
        for (const [index, base] of [1000, 2000, 4000].entries()) {
          const delay = delays[index] ?? 0
          assert.isTrue(delay >= base * 0.8 && delay <= base * 1.2, `${delay} is not about ${base}`)
        }
      }
      assert.isAbove(new Set(tokens.map((token) => backend.delays(token)[0])).size, 1)
      assert.deepEqual(yield* grown, [8, 24, 0])
      const lines = log.filter(({ text }) => text.includes("disconnect t1 "))
      assert.lengthOf(lines, 3)
      for (const [index, { level, text }] of lines.entries()) {
        assert.equal(level, "WARN")
        const line = `try ${index + 1} to tell the backend of disconnect t1 failed: the backend answered 503 Service Unavailable`
        assert.isTrue(text.startsWith(line), text)
      }
    }).pipe(Effect.provide(layer()))
  )

  it.effect("lets no end wait for another one: a backend that hangs on one hears of the rest at once (S37)", () =>
    Effect.gen(function* () {
      const { backend } = yield* rooms
      backend.script = (call, nth) => (call.token === "slow" ? hangs(call, nth) : Effect.void)
      yield* end("slow")
      yield* untilCalls(1)
      for (const token of ["a", "b", "c"]) yield* end(token)
      yield* until(() => backend.told.length === 3, "an end waits")
      assert.deepEqual(backend.told, ["a", "b", "c"])
      yield* TestClock.adjust("7 seconds")
      assert.isAtLeast(backend.of("slow").length, 2)
      assert.deepEqual(backend.told, ["a", "b", "c"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps the first reason of a token that is under way", () =>
    Effect.gen(function* () {
      const { backend, outbox } = yield* rooms
      backend.script = hangs
      yield* end("t", "replaced")
      yield* outbox.owe(callOf("t", "shutdown"))
      yield* settled
      assert.deepEqual([backend.calls.map(({ reason }) => reason), outbox.size()], [["replaced"], 1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("delivers what was recorded, though the one who owes it is interrupted", () =>
    Effect.gen(function* () {
      const { backend, faulty } = yield* rooms
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit, { when: ({ _tag }) => _tag === "Owe" })
      const ending = yield* Effect.fork(end("t"))
      yield* commit.reached
      yield* Fiber.interruptFork(ending)
      yield* settled
      yield* commit.release
      yield* until(() => backend.told.length === 1, "it was lost")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is drained when nothing is owed any more, and not before", () =>
    Effect.gen(function* () {
      const { backend, outbox } = yield* rooms
      yield* outbox.drain
      backend.script = (call, nth) => (nth === 1 ? refuses(call, nth) : Effect.void)
      yield* end("a")
      yield* end("b")
      const drain = yield* Effect.fork(outbox.drain)
      yield* settled
      assert.isTrue(Option.isNone(yield* Fiber.poll(drain)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(drain)
      assert.deepEqual([backend.told.toSorted(), outbox.size()], [["a", "b"], 0])
    }).pipe(Effect.provide(layer()))
  )

  // promise 7
  it.effect("leaves in the journal what was not delivered when it closes, and stops trying (S38)", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { backend, faulty } = yield* Effect.provide(rooms, context)
      backend.script = ({ token }, nth) => (token === "told" ? Effect.void : hangs(callOf(token), nth))
      yield* Effect.provide(
        Effect.forEach(["told", "hanging", "waiting"], (token) => end(token)),
        context
      )
      yield* TestClock.adjust("5500 millis")
      yield* Effect.provide(end("late"), context)
      yield* Scope.close(scope, Exit.void)
      const calls = backend.calls.length
      const owed = yield* faulty.sound.owed(9)
      assert.deepEqual(
        owed.map(({ token }) => token),
        ["hanging", "waiting", "late"]
      )
      yield* TestClock.adjust("1 day")
      assert.equal(backend.calls.length, calls)

      // The next one delivers them.
      backend.script = () => Effect.void
      yield* Effect.flatMap(rooms, ({ outbox }) => outbox.drain).pipe(
        Effect.provide(layer({ backend, journal: faulty.sound }))
      )
      assert.deepEqual(backend.told.toSorted(), ["hanging", "late", "told", "waiting"])
    })
  )
})
