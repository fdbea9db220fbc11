import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { events, layer, s1, s2 } from "./SessionRooms.ts"

const rooms = Effect.all({ faulty: FaultyStore.FaultyStore, registry: SessionRegistry, store: EventStore })
const all = { after: 0, before: Number.MAX_SAFE_INTEGER, limit: 10_000, order: "asc" } as const
const keyed = (key: string, digest: string) => ({ events: events(digest, digest), receipt: { key, digest } })

describe("an idempotency key", () => {
  // promise 1
  it.effect("stores the same request once and gives it the first answer again (S63)", () =>
    Effect.gen(function* () {
      const { registry, store } = yield* rooms
      yield* registry.append(s1, { events: events("before") })
      const first = yield* registry.append(s1, keyed("k", "d"))
      assert.deepInclude(first, { first: 2, last: 3, head: 3, repeated: false })
      yield* registry.append(s1, { events: events("after") })
      assert.deepEqual(yield* registry.append(s1, keyed("k", "d")), { ...first, repeated: true })
      assert.equal((yield* store.readEvents(s1, all)).length, 4)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("stores one of 20 equal requests at once, and the other 19 get its answer (S63)", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      const answers = yield* Effect.replicateEffect(registry.append(s1, keyed("k", "d")), 20, { concurrency: 20 })
      assert.equal(answers.filter(({ repeated }) => !repeated).length, 1)
      for (const answer of answers) assert.deepInclude(answer, { first: 1, last: 2, head: 2 })
      assert.equal((yield* store.readEvents(s1, all)).length, 2)
      assert.deepEqual([faulty.calls("receipt").length, faulty.calls("commit").length], [1, 1])
    }).pipe(Effect.provide(layer()))
  )

  // promise 8
  it.effect("is a conflict with another body, stored already or still on its way (S63)", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const first = yield* Effect.fork(registry.append(s1, keyed("k", "d")))
      yield* commit.reached
      assert.equal((yield* Effect.flip(registry.append(s1, keyed("k", "other"))))._tag, "KeyConflict")
      yield* commit.release
      yield* Fiber.join(first)
      assert.equal((yield* Effect.flip(registry.append(s1, keyed("k", "other"))))._tag, "KeyConflict")
      assert.equal((yield* store.readEvents(s1, all)).length, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect(
    "is answered as of the log that it was stored in, also when that is deleted while the store looks it up",
    () =>
      Effect.gen(function* () {
        const { faulty, registry } = yield* rooms
        const first = yield* registry.append(s1, keyed("k", "d"))
        const receipt = yield* FaultyStore.holdsAnswer
        faulty.next("receipt", receipt)
        const again = yield* Effect.fork(registry.append(s1, keyed("k", "d")))
        yield* receipt.reached
        yield* registry.remove(s1)
        yield* receipt.release
        assert.deepEqual(yield* Fiber.join(again), { ...first, repeated: true })
      }).pipe(Effect.provide(layer()))
  )

  it.effect("belongs to its session: the same key of another one is another", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const both = Effect.forEach([s1, s2], (session) => registry.append(session, keyed("k", session)), {
        concurrency: 2
      })
      assert.deepEqual(
        (yield* both).map(({ repeated }) => repeated),
        [false, false]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("gives the first answer after the session slept, too (S63)", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const first = yield* registry.append(s1, keyed("k", "d"))
      yield* TestClock.adjust("2 minutes")
      assert.equal(registry.find(s1), undefined)
      assert.deepEqual(yield* registry.append(s1, keyed("k", "d")), { ...first, repeated: true })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is forgotten when nothing was stored: the next try is a first one", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      faulty.next("commit", FaultyStore.fails("Full"))
      const failed = yield* Effect.replicateEffect(Effect.flip(registry.append(s1, keyed("k", "d"))), 3, {
        concurrency: 3
      })
      assert.deepEqual(
        failed.map(({ _tag }) => _tag),
        ["StoreError", "StoreError", "StoreError"]
      )
      faulty.next("receipt", FaultyStore.fails("Unavailable"))
      assert.equal((yield* Effect.flip(registry.append(s1, keyed("k", "d"))))._tag, "StoreError")
      assert.deepInclude(yield* registry.append(s1, keyed("k", "d")), { first: 1, repeated: false })
    }).pipe(Effect.provide(layer()))
  )

  // promise 1
  it.effect("finds the outcome of an append whose own answer was 'unknown'", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      faulty.next("commit", FaultyStore.diesAfter("the answer was lost"))
      assert.equal((yield* Effect.flip(registry.append(s1, keyed("k", "d"))))._tag, "SessionInterrupted")
      assert.deepInclude(yield* registry.append(s1, keyed("k", "d")), { first: 1, last: 2, repeated: true })
      assert.equal((yield* store.readEvents(s1, all)).length, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("outlives its first request: one that is interrupted is stored, and the others get its answer", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const first = yield* Effect.fork(registry.append(s1, keyed("k", "d")))
      yield* commit.reached
      const second = yield* Effect.fork(registry.append(s1, keyed("k", "d")))
      const leaving = yield* Effect.fork(Fiber.interrupt(first))
      yield* settled
      yield* commit.release
      assert.deepInclude(yield* Fiber.join(second), { first: 1, last: 2, repeated: true })
      yield* Fiber.join(leaving)
    }).pipe(Effect.provide(layer()))
  )
})
