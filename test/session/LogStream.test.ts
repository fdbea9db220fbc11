import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Queue, Stream } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as LogStream from "../../src/session/LogStream.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settledUntil } from "../store/StoreWriterTurn.ts"
import { events, layer, numbers, s1 } from "./SessionRooms.ts"

const shown = (told: LogStream.Told): string =>
  told._tag === "Event" ? told.event.data : `${told.gap.reason} ${told.gap.after}-${told.gap.next}`

/** What a follower has been told so far, without an end. */
const following = (from: ReplayPlan.Position) =>
  Effect.gen(function* () {
    const told = yield* Queue.unbounded<string>()
    const fiber = yield* Effect.forkScoped(
      Stream.runForEach(LogStream.make(s1, from), (one) => Queue.offer(told, shown(one)))
    )
    const take = (count: number) => Effect.map(Queue.takeN(told, count), Chunk.toReadonlyArray)
    return { take, fiber } as const
  })

describe("a session's log as a stream of this process", () => {
  it.scoped("has what there is, then what is committed, in order and over many pages", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      for (const first of [1, 401, 801]) yield* sessions.append(s1, { events: numbers(first, 400) })
      const { take } = yield* following(ReplayPlan.start)
      const expected = Array.from({ length: 1202 }, (_, index) => `${index + 1}`)
      assert.deepEqual(yield* take(1200), expected.slice(0, 1200))
      yield* sessions.append(s1, { events: numbers(1201, 1) })
      yield* sessions.append(s1, { events: numbers(1202, 1) })
      assert.deepEqual(yield* take(2), expected.slice(1200))
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("waits for a session that does not exist yet, and begins with its first event", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      const { take } = yield* following(ReplayPlan.head)
      assert.equal(yield* settledUntil(() => sessions.find(s1)?.watchers.size === 1), true)
      yield* sessions.append(s1, { events: events("first") })
      assert.deepEqual(yield* take(1), ["first"])
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("tells the gap of what is not kept, at the start and when retention overtakes a slow reader", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      yield* sessions.append(s1, { events: numbers(1, 8) })
      const held = yield* Queue.bounded<string>(1)
      yield* Effect.forkScoped(
        Stream.runForEach(Stream.rechunk(LogStream.make(s1, ReplayPlan.start), 1), (one) =>
          Queue.offer(held, shown(one))
        )
      )
      assert.equal(yield* Queue.take(held), "retention 0-6")
      assert.equal(yield* Queue.take(held), "6")
      for (const first of [9, 19]) yield* sessions.append(s1, { events: numbers(first, 10) })
      assert.deepEqual(yield* Effect.replicateEffect(Queue.take(held), 6), [
        "7",
        "8",
        "retention 8-26",
        "26",
        "27",
        "28"
      ])
    }).pipe(Effect.provide(layer({ session: { retainEvents: 3 } })))
  )

  it.scoped("ends behind the last event when the session ends, and at once when it has ended", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      const { fiber, take } = yield* following(ReplayPlan.start)
      yield* sessions.append(s1, { events: events("one") })
      yield* sessions.move(s1, "ENDED", "done")
      const [one, last] = yield* take(2)
      assert.deepEqual([one, JSON.parse(last ?? "").state], ["one", "ENDED"])
      yield* Fiber.join(fiber)
      const again = yield* Stream.runCollect(LogStream.make(s1, ReplayPlan.head))
      assert.equal(Chunk.size(again), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("ends when the session is deleted", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      yield* sessions.append(s1, { events: events("one") })
      const { fiber, take } = yield* following(ReplayPlan.start)
      yield* take(1)
      yield* sessions.remove(s1)
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("ends where its log was deleted, also when another one has its name by then", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      yield* sessions.append(s1, { events: events("old 1", "old 2") })
      const held = yield* Queue.bounded<string>(1)
      const fiber = yield* Effect.forkScoped(
        Stream.runForEach(Stream.rechunk(LogStream.make(s1, ReplayPlan.start), 1), (one) =>
          Queue.offer(held, shown(one))
        )
      )
      assert.equal(yield* Queue.take(held), "old 1")
      yield* sessions.remove(s1)
      yield* sessions.append(s1, { events: events("new 1", "new 2", "new 3", "new 4") })
      assert.equal(yield* Queue.take(held), "old 2")
      yield* Fiber.join(fiber)
      assert.equal(yield* Queue.size(held), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("fails, and does not end, when the session's actor is given up", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      yield* sessions.append(s1, { events: events("one") })
      const { fiber, take } = yield* following(ReplayPlan.start)
      yield* take(1)
      sessions.find(s1)?.stop("failed")
      assert.equal((yield* Effect.flip(Fiber.join(fiber)))._tag, "StoreError")
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("is no watcher any more once it is let go of, and fails when the store does", () =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      const faulty = yield* FaultyStore.FaultyStore
      yield* sessions.append(s1, { events: events("one") })
      const first = yield* Stream.runHead(LogStream.make(s1, ReplayPlan.start))
      assert.equal(first._tag, "Some")
      assert.equal(sessions.find(s1)?.watchers.size, 0)
      faulty.next("readEvents", FaultyStore.fails("Unavailable"))
      const failure = yield* Effect.flip(Stream.runDrain(LogStream.make(s1, ReplayPlan.start)))
      assert.equal(failure.reason, "Unavailable")
      assert.equal(sessions.find(s1)?.watchers.size, 0)
    }).pipe(Effect.provide(layer()))
  )
})
