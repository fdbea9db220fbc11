import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Metric, Scope, TestClock } from "effect"
import type { JournalChange } from "../../src/store/ConnectionJournal.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { Backend, callOf, end, layer, refuses, rooms, until, untilCalls } from "./OutboxRooms.ts"

const always = Number.POSITIVE_INFINITY
const is = (tag: JournalChange["_tag"]) => ({ when: ({ _tag }: JournalChange) => _tag === tag })

/** Tokens that the journal would owe after a crash. */
const kept = Effect.flatMap(rooms, ({ faulty: { sound } }) =>
  Effect.map(Effect.zipRight(sound.orphan(99), sound.owed(99)), (owed) => owed.map(({ token }) => token))
)

describe("DisconnectOutbox, when something fails,", () => {
  // promise 7
  it.effect("delivers from memory what the store refuses to record, and tells no one else", () =>
    Effect.gen(function* () {
      const { backend, faulty, log, outbox } = yield* rooms
      const errors = yield* Metric.value(Metrics.storeErrors)
      faulty.next("commit", FaultyStore.fails("Full"), { ...is("Owe") })
      yield* end("t", "replaced")
      yield* outbox.drain
      assert.deepEqual(backend.calls, [{ ...callOf("t", "replaced"), at: 0 }])
      assert.deepEqual(yield* kept, [])
      assert.equal((yield* Metric.value(Metrics.storeErrors)).count, errors.count + 1)
      assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("disconnect t is not recorded")))
    }).pipe(Effect.provide(layer()))
  )

  // promise 7
  it.effect("still has the connect in the journal when the disconnect was not recorded and the server ends", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { backend, faulty } = yield* Effect.provide(rooms, context)
      faulty.next("commit", FaultyStore.fails("Full"), { ...is("Owe"), times: always })
      backend.script = refuses
      yield* Effect.provide(end("t", "replaced"), context)
      yield* until(() => backend.calls.length === 1, "no call")
      yield* Scope.close(scope, Exit.void)
      const next = new Backend()
      yield* Effect.flatMap(rooms, ({ outbox }) => outbox.drain).pipe(
        Effect.provide(layer({ backend: next, journal: faulty.sound }))
      )
      assert.deepEqual(
        next.calls.map(({ reason, token }) => `${token} ${reason}`),
        ["t error"]
      )
    })
  )

  // promise 7
  it.effect("delivers above its bound what the store refuses to record: nothing else would", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      backend.script = refuses
      yield* end("a")
      faulty.next("commit", FaultyStore.fails("Full"), { ...is("Owe"), times: always })
      for (const token of ["b", "c"]) yield* end(token)
      assert.equal(outbox.size(), 3)
      backend.script = () => Effect.void
      yield* TestClock.adjust("2 seconds")
      yield* outbox.drain
      assert.deepEqual(backend.told.toSorted(), ["a", "b", "c"])
    }).pipe(Effect.provide(layer({ maxDeliveries: 1 })))
  )

  it.effect("forgets a delivered one when the store takes it again, and does not tell the backend twice", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      faulty.next("commit", FaultyStore.fails("Full"), { ...is("Forget"), times: 3 })
      faulty.next("commit", FaultyStore.dies(new Error("boom")), { ...is("Forget"), times: 1 })
      yield* end("t")
      yield* untilCalls(1)
      assert.deepEqual([outbox.size(), (yield* faulty.sound.owed(9)).length], [1, 1])
      yield* TestClock.adjust("1 minute")
      yield* outbox.drain
      assert.deepEqual([backend.told, yield* kept], [["t"], []])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("goes on without a store that never takes it again, and says so", () =>
    Effect.gen(function* () {
      const { faulty, log, outbox } = yield* rooms
      faulty.next("commit", FaultyStore.fails("Full"), { ...is("Forget"), times: always })
      yield* end("t")
      yield* TestClock.adjust("62 minutes")
      yield* outbox.drain
      assert.deepEqual(yield* kept, ["t"])
      const line = "the journal does not take Forget of disconnect t"
      assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes(line)))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("makes a dead letter also of what was not recorded before", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      backend.script = refuses
      faulty.next("commit", FaultyStore.fails("Full"), { ...is("Owe") })
      yield* end("t", "expired")
      yield* TestClock.adjust("61 minutes")
      yield* outbox.drain
      const letters = yield* outbox.deadLetters({ limit: 9 })
      assert.deepEqual(
        letters.map(({ reason, token }) => [token, reason]),
        [["t", "expired"]]
      )
    }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect(
    "takes a defect in a callback for a failed try: logged with its cause, counted, and no other one notices",
    () =>
      Effect.gen(function* () {
        const { backend, log, outbox } = yield* rooms
        const before = yield* Metric.value(Metrics.outboxFailures)
        backend.script = ({ token }, nth) => {
          if (token !== "bad") return Effect.void
          if (nth === 1) return Effect.die(new Error("boom"))
          if (nth === 2) return Effect.interrupt
          if (nth === 3) throw new Error("thrown")
          return nth === 4 ? Effect.failCause(Cause.die("late")) : Effect.void
        }
        yield* end("bad")
        yield* end("good")
        yield* untilCalls(2)
        assert.deepEqual([backend.told, outbox.size()], [["good"], 1])
        yield* TestClock.adjust("1 minute")
        yield* outbox.drain
        assert.deepEqual([backend.told, backend.of("bad").length], [["good", "bad"], 5])
        assert.equal((yield* Metric.value(Metrics.outboxFailures)).count, before.count + 4)
        assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("Error: boom")))
      }).pipe(Effect.provide(layer()))
  )

  it.effect("leaves to the next start what is owed after its end", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { backend, outbox, writer } = yield* Effect.provide(rooms, context)
      yield* writer.record({ _tag: "Connect", token: "t", request: "{}" })
      yield* Scope.close(scope, Exit.void)
      yield* outbox.owe(callOf("t"))
      yield* settled
      assert.deepEqual([backend.calls, outbox.size()], [[], 0])
      assert.deepEqual(yield* Effect.provide(kept, context), ["t"])
    })
  )
})
