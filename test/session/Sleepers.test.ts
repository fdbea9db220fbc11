import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import * as Sleepers from "../../src/session/Sleepers.ts"
import * as TestProcess from "../../src/testing/TestProcess.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { layer, logWith, rooms } from "./ProcessRooms.ts"
import { events, s1 } from "./SessionRooms.ts"
import * as TestWatcher from "./TestWatcher.ts"

const ids = (count: number) => Array.from({ length: count }, (_, index) => SessionId.make(`s${index}`))

/** Fibers of the rooms that sleep until a time which is still to come. */
const sleeping = Effect.gen(function* () {
  const now = yield* TestClock.currentTimeMillis
  return Array.from(yield* TestClock.sleeps()).filter((at) => at > now).length
})

describe("actors that rest", () => {
  // promise 3
  it.effect("sleep after their idle time to the millisecond, each by its own", () =>
    Effect.gen(function* () {
      const { sessions } = yield* rooms
      const [a, b] = [SessionId.make("a"), SessionId.make("b")]
      yield* sessions.start(a)
      yield* TestClock.adjust("20 seconds")
      yield* sessions.start(b)
      yield* TestClock.adjust("39999 millis")
      assert.equal(sessions.size(), 2)
      yield* TestClock.adjust("1 millis")
      assert.deepEqual([sessions.find(a), sessions.size()], [undefined, 1])
      yield* TestClock.adjust("19999 millis")
      assert.equal(sessions.size(), 1)
      yield* TestClock.adjust("1 millis")
      assert.equal(sessions.size(), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("are looked at by one fiber, however many they are, and by none when they are watched or asleep", () =>
    Effect.gen(function* () {
      const { sessions } = yield* rooms
      yield* TestClock.adjust("2 seconds")
      assert.equal(yield* sleeping, 0)
      const actors = yield* Effect.forEach(ids(1000), (session) => sessions.start(session))
      assert.equal(yield* sleeping, 1)
      const watcher = TestWatcher.make()
      for (const actor of actors) actor.watch(watcher)
      yield* TestClock.adjust("61 seconds")
      assert.deepEqual([sessions.size(), yield* sleeping], [1000, 0])
      for (const actor of actors) actor.unwatch(watcher)
      assert.equal(yield* sleeping, 1)
      yield* TestClock.adjust("61 seconds")
      assert.deepEqual([sessions.size(), yield* sleeping], [0, 0])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("sleep also when nobody watched them and their process has ended", () =>
    Effect.gen(function* () {
      const { processes, sessions } = yield* rooms
      const child = yield* TestProcess.make()
      yield* processes.attach(s1, child.process)
      yield* logWith(s1, "ACTIVE")
      yield* TestClock.adjust("10 minutes")
      yield* child.emit(...events("still at work"))
      assert.equal(sessions.size(), 1)
      yield* child.end()
      yield* logWith(s1, "ENDED")
      yield* settled
      yield* TestClock.adjust("1 minute")
      assert.equal(sessions.size(), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("sleep also when their log was deleted under the last who watched them", () =>
    Effect.gen(function* () {
      const { sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      const actor = yield* sessions.start(s1)
      actor.watch(TestWatcher.make())
      yield* TestClock.adjust("2 minutes")
      yield* sessions.remove(s1)
      yield* TestClock.adjust("1 minute")
      assert.equal(sessions.size(), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.scoped("are looked at no more than 60 times within their idle time, however many fall idle one by one", () =>
    Effect.gen(function* () {
      const { sessions } = yield* rooms
      const actors = yield* Effect.forEach(ids(600), (session) =>
        Effect.zipLeft(sessions.start(session), TestClock.adjust("1 millis"))
      )
      let looks = 0
      const slept: Array<string> = []
      const awake = new Set(actors)
      const counting = {
        [Symbol.iterator]: () => {
          looks += 1
          return awake.values()
        }
      }
      const sleepers = yield* Sleepers.make({
        idle: "60 seconds",
        actors: counting,
        sleep: (actor) => {
          awake.delete(actor)
          slept.push(actor.session)
        }
      })
      for (const actor of actors) sleepers.rested(actor)
      yield* TestClock.adjust("62 seconds")
      assert.deepEqual([slept.length, looks], [600, 2])
    }).pipe(Effect.provide(layer()))
  )
})
