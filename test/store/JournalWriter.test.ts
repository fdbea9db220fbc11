import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Option, Scope, TestClock } from "effect"
import type { JournalChange } from "../../src/store/ConnectionJournal.ts"
import * as JournalWriter from "../../src/store/JournalWriter.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { connect, forget, owe, owed } from "../../src/testing/connectionJournal/Rule.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import * as FaultyJournal from "./FaultyJournal.ts"
import { settled } from "./StoreWriterTurn.ts"

const layer = JournalWriter.layer.pipe(Layer.provideMerge(FaultyJournal.layer()), Layer.provideMerge(CapturedLog.layer))

const rooms = Effect.all({
  faulty: FaultyJournal.FaultyJournal,
  log: CapturedLog.CapturedLog,
  writer: JournalWriter.JournalWriter
})

/** Records now, as a connection does: nothing is waited for. */
const record = (change: JournalChange) =>
  Effect.flatMap(rooms, ({ writer }) => Effect.zipLeft(Effect.fork(writer.record(change)), Effect.yieldNow()))

/** Answers of those that have one. */
const answers = (fibers: ReadonlyArray<Fiber.RuntimeFiber<void, unknown>>) =>
  Effect.forEach(fibers, (fiber) =>
    Effect.map(Fiber.poll(fiber), (exit) => (Option.isNone(exit) ? "waits" : Exit.isSuccess(exit.value) ? "ok" : "no"))
  )

const grown = (counter: Metric.Metric.Counter<number>) =>
  Effect.map(Metric.value(counter), ({ count: before }) =>
    Effect.map(Metric.value(counter), ({ count }) => count - before)
  )

describe("JournalWriter", () => {
  it.effect("makes one commit of what is recorded in one turn of the event loop, in the order of the calls", () =>
    Effect.gen(function* () {
      const { faulty } = yield* rooms
      const changes = [connect("a"), connect("b"), owe("a", 1), forget("b"), owe("a", 2)]
      const fibers = yield* Effect.forEach(changes, record)
      assert.deepEqual(faulty.commits, [])
      yield* Fiber.joinAll(fibers)
      assert.deepEqual(faulty.commits, [changes])
      assert.deepEqual(yield* faulty.sound.owed(9), [owed("a", 1)])
    }).pipe(Effect.provide(layer))
  )

  // promise 7
  it.effect("answers only after the commit, and gathers what comes meanwhile into the next one", () =>
    Effect.gen(function* () {
      const { faulty } = yield* rooms
      const commit = yield* FaultyStore.holdsAnswer
      faulty.next("commit", commit)
      const first = yield* record(connect("a"))
      yield* commit.reached
      const later = [yield* record(connect("b")), yield* record(connect("c"))]
      yield* settled
      assert.deepEqual(yield* answers([first, ...later]), ["waits", "waits", "waits"])
      yield* commit.release
      yield* Fiber.joinAll([first, ...later])
      assert.deepEqual(
        faulty.commits.map((changes) => changes.map(({ token }) => token)),
        [["a"], ["b", "c"]]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("finishes what was recorded, though its caller is interrupted", () =>
    Effect.gen(function* () {
      const { faulty } = yield* rooms
      const fiber = yield* record(connect("a"))
      yield* Fiber.interrupt(fiber)
      yield* settled
      assert.deepEqual(faulty.commits, [[connect("a")]])
    }).pipe(Effect.provide(layer))
  )

  it.effect("tries again every 25 ms while another process holds the lock, for 5 s", () =>
    Effect.gen(function* () {
      const { faulty } = yield* rooms
      const errors = yield* grown(Metrics.storeErrors)
      faulty.next("commit", FaultyStore.fails("Busy"), { times: 2 })
      const fiber = yield* record(connect("a"))
      yield* settled
      assert.equal(faulty.commits.length, 1)
      yield* TestClock.adjust("25 millis")
      assert.equal(faulty.commits.length, 2)
      yield* TestClock.adjust("25 millis")
      yield* Fiber.join(fiber)
      faulty.next("commit", FaultyStore.fails("Busy"), { times: Number.POSITIVE_INFINITY })
      const refused = yield* record(connect("b"))
      yield* settled
      yield* TestClock.adjust("4999 millis")
      assert.deepEqual(yield* answers([refused]), ["waits"])
      yield* TestClock.adjust("1 millis")
      assert.equal((yield* Effect.flip(Fiber.join(refused))).reason, "Busy")
      assert.equal(yield* errors, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("fails what the store refuses, all of one commit, and goes on with the next one", () =>
    Effect.gen(function* () {
      const { faulty } = yield* rooms
      faulty.next("commit", FaultyStore.fails("Full"))
      const fibers = [yield* record(connect("a")), yield* record(connect("b"))]
      const errors = yield* Effect.forEach(fibers, (fiber) => Effect.flip(Fiber.join(fiber)))
      assert.deepEqual(
        errors.map(({ reason }) => reason),
        ["Full", "Full"]
      )
      yield* Fiber.join(yield* record(connect("c")))
    }).pipe(Effect.provide(layer))
  )

  // promise 6
  it.effect("lets a change that the store dies of fail alone, and outlives it", () =>
    Effect.gen(function* () {
      const { faulty, log } = yield* rooms
      const deaths = yield* grown(Metrics.journalWriterFailures)
      const poison = { times: 2, when: ({ token }: JournalChange) => token === "poison" }
      faulty.next("commit", FaultyStore.dies(new Error("boom")), poison)
      const fibers = yield* Effect.forEach([connect("a"), connect("poison"), owe("a", 1)], record)
      yield* settled
      assert.deepEqual(yield* answers(fibers), ["ok", "no", "ok"])
      assert.deepEqual(yield* faulty.sound.owed(9), [owed("a", 1)])
      assert.equal(yield* deaths, 2)
      assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("boom")))
      yield* Fiber.join(yield* record(connect("b")))
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes a change once, though its commit died after it was made", () =>
    Effect.gen(function* () {
      const { faulty } = yield* rooms
      faulty.next("commit", FaultyStore.diesAfter(new Error("boom")))
      const changes = [connect("a"), owe("a", 1), connect("b"), owe("b", 2), forget("b")]
      const fibers = yield* Effect.forEach(changes, record)
      yield* Fiber.joinAll(fibers)
      assert.deepEqual(yield* faulty.sound.owed(9), [owed("a", 1)])
    }).pipe(Effect.provide(layer))
  )

  // promise 7
  it.effect("commits what waits when it closes, and refuses with a type what comes later", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer, scope)
      const now = (change: JournalChange) => Effect.provide(record(change), context)
      const { faulty } = yield* Effect.provide(rooms, context)
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const inFlight = yield* now(connect("a"))
      yield* commit.reached
      const waiting = yield* now(connect("b"))
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settled
      assert.deepEqual(yield* answers([inFlight, waiting, closing]), ["waits", "waits", "waits"])
      yield* commit.release
      yield* Fiber.joinAll([inFlight, waiting, closing])
      const late = yield* now(connect("c"))
      assert.equal((yield* Effect.flip(Fiber.join(late))).reason, "Unavailable")
      assert.deepEqual(
        faulty.commits.map((changes) => changes.map(({ token }) => token)),
        [["a"], ["b"]]
      )
    })
  )
})
