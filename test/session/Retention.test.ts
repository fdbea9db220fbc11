import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, TestClock } from "effect"
import type { SessionId } from "../../src/domain/Session.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as BatchFixture from "../../src/testing/BatchFixture.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { CapturedLog } from "./CapturedLog.ts"
import { events, layer, numbers, s1, s2 } from "./SessionRooms.ts"
import * as TestWatcher from "./TestWatcher.ts"

const rooms = Effect.all({
  faulty: FaultyStore.FaultyStore,
  log: CapturedLog,
  registry: SessionRegistry,
  store: EventStore
})
const all = { after: 0, before: Number.MAX_SAFE_INTEGER, limit: 10_000, order: "asc" } as const

/** What the store itself still has. */
const stored = (session: SessionId) =>
  Effect.gen(function* () {
    const { store } = yield* rooms
    const { head, oldest } = Option.getOrThrow(yield* store.load(session))
    return { oldest, head, events: (yield* store.readEvents(session, all)).length }
  })

const hundred = layer({ session: { retainEvents: 100 } })
const minute = layer({ session: { retainFor: Duration.minutes(1), idle: Duration.seconds(20) } })

describe("retention", () => {
  // promise 3
  it.effect("by count: 151 is the oldest of 250 at once, and the store's space follows within a second (S67)", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 250) })
      yield* settled
      const { events: kept, record } = yield* registry.history(s1, all)
      assert.deepEqual([record.oldest, record.head, kept.length, kept[0]?.data], [151, 250, 100, "151"])
      assert.deepInclude(yield* registry.get(s1), { oldest: 151, head: 250 })
      const page = Option.getOrThrow(yield* registry.readPage(yield* registry.start(s1), 0, "single"))
      assert.deepEqual([page.first, page.last], [151, 250])

      yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 151, head: 250, events: 100 })
      assert.equal((yield* registry.append(s1, { events: events("251") })).first, 251)
      assert.deepInclude(yield* registry.get(s1), { oldest: 152, head: 251 })
    }).pipe(Effect.provide(hundred))
  )

  it.effect("by count: holds in every answer also for a session that sleeps and was stored before the rule", () =>
    Effect.gen(function* () {
      const { registry, store } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 250) })
      yield* TestClock.adjust("3 minutes")
      assert.equal(registry.find(s1), undefined)
      assert.deepInclude(yield* registry.get(s1), { oldest: 151, head: 250 })
      assert.equal((yield* registry.start(s1)).oldest, 151)
      yield* TestClock.adjust("2 seconds")
      assert.equal(Option.getOrThrow(yield* store.load(s1)).oldest, 151)
    }).pipe(Effect.provide(hundred))
  )

  // promise 3
  it.effect(
    "by age: what is older goes, by the clock, of live and of sleeping sessions; no number comes twice (S67)",
    () =>
      Effect.gen(function* () {
        const { registry } = yield* rooms
        yield* registry.append(s1, { events: numbers(1, 10) })
        yield* registry.append(s2, { events: numbers(1, 5) })
        yield* TestClock.adjust("30 seconds")
        yield* registry.append(s1, { events: numbers(11, 10) })
        yield* TestClock.adjust("29 seconds")
        yield* settled
        assert.deepEqual(yield* stored(s1), { oldest: 1, head: 20, events: 20 })
        const actor = yield* registry.start(s1)
        actor.watch(TestWatcher.make())
        yield* TestClock.adjust("3 seconds")
        yield* settled
        assert.equal(registry.find(s2), undefined)
        assert.deepEqual(yield* stored(s1), { oldest: 11, head: 20, events: 10 })
        assert.deepEqual(yield* stored(s2), { oldest: 6, head: 5, events: 0 })
        assert.equal(actor.oldest, 11)
        assert.equal((yield* registry.append(s2, { events: events("6") })).first, 6)
      }).pipe(Effect.provide(minute))
  )

  it.effect("by age: an event is there for as long as it is kept, and gone at most a second later", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 1) })
      yield* TestClock.adjust("300 millis")
      yield* registry.append(s1, { events: numbers(2, 1) })
      yield* TestClock.adjust("59700 millis")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 1, head: 2, events: 2 })
      yield* TestClock.adjust("1 millis")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 2, head: 2, events: 1 })
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 3, head: 2, events: 0 })
    }).pipe(Effect.provide(minute))
  )

  // promise 6
  it.effect("also frees what was stored by a commit whose outcome nobody heard of", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* TestClock.adjust("2 seconds")
      faulty.next("commit", FaultyStore.diesAfter("a defect"))
      yield* Effect.exit(registry.append(s1, { events: numbers(1, 3) }))
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 1, head: 3, events: 3 })
      yield* TestClock.adjust("62 seconds")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 4, head: 3, events: 0 })
    }).pipe(Effect.provide(minute))
  )

  it.effect("frees a removed session a second later, though nothing else is to do", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 1) })
      yield* TestClock.adjust("10 minutes")
      const before = faulty.calls("sweep").length
      yield* registry.remove(s1)
      yield* TestClock.adjust("1 seconds")
      yield* settled
      assert.equal(faulty.calls("sweep").length, before + 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("asks the store nothing while nothing can be due, and never for events that are kept for ever", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 10) })
      yield* TestClock.adjust("2 seconds")
      yield* settled
      const asked = () => (["sweep", "expired", "trim", "oldest"] as const).map((step) => faulty.calls(step).length)
      assert.deepEqual(asked(), [1, 0, 0, 1])
      yield* TestClock.adjust("23 hours")
      assert.deepEqual(asked(), [1, 0, 0, 1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("frees the idempotency keys of a day ago", () =>
    Effect.gen(function* () {
      const { store } = yield* rooms
      const receipts = [{ key: "k", digest: "d", first: 1, last: 1, head: 1 }]
      const dayAgo = -Duration.toMillis("1 day")
      yield* store.commit([BatchFixture.ofNumbers(s1, 1, 1, { at: dayAgo + 2000, receipts })])
      yield* TestClock.adjust("2 seconds")
      yield* settled
      assert.isTrue(Option.isSome(yield* store.receipt(s1, "k")))
      yield* TestClock.adjust("1 seconds")
      yield* settled
      assert.isTrue(Option.isNone(yield* store.receipt(s1, "k")))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("by count: one session that the store refuses to trim does not hold up the others", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      faulty.next("trim", FaultyStore.fails("Unavailable"), {
        times: 99,
        when: ({ sessions }) => sessions.includes(s1)
      })
      yield* registry.append(s1, { events: numbers(1, 250) })
      yield* registry.append(s2, { events: numbers(1, 250) })
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 1, head: 250, events: 250 })
      assert.deepEqual(yield* stored(s2), { oldest: 151, head: 250, events: 100 })
    }).pipe(Effect.provide(hundred))
  )

  // promise 6
  it.effect("goes on a second later when the store refused, and says so", () =>
    Effect.gen(function* () {
      const { faulty, log, registry } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 10) })
      yield* TestClock.adjust("1 minute")
      faulty.next("expired", FaultyStore.fails("Unavailable"))
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 1, head: 10, events: 10 })
      assert.isTrue(log.some(({ level, text }) => level === "WARN" && text.includes("retention is tried again later")))
      yield* TestClock.adjust("2 seconds")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 11, head: 10, events: 0 })
    }).pipe(Effect.provide(minute))
  )

  it.effect("by count: tries a trim again that the store refused, also of a session that is quiet from then on", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      faulty.next("trim", FaultyStore.fails("Busy"))
      yield* registry.append(s1, { events: numbers(1, 250) })
      yield* TestClock.adjust("5 seconds")
      yield* settled
      assert.deepEqual(yield* stored(s1), { oldest: 151, head: 250, events: 100 })
    }).pipe(Effect.provide(hundred))
  )
})
