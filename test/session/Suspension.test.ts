import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope, TestClock } from "effect"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { layer, log, logWith, rooms } from "./ProcessRooms.ts"
import { events, s1, s2 } from "./SessionRooms.ts"

const suspended = Effect.gen(function* () {
  const all = yield* rooms
  yield* all.sessions.append(s1, { events: events("1") })
  for (const state of ["STARTING", "ACTIVE", "SUSPENDED"] as const) yield* all.sessions.move(s1, state)
  return all
})

const detached = "DETACHED (suspended_for_too_long)"

describe("a suspended session", () => {
  it.effect("is detached after 120 seconds, with its event, and not before (S99)", () =>
    Effect.gen(function* () {
      const { sessions } = yield* suspended
      yield* TestClock.adjust("119999 millis")
      yield* settled
      assert.equal((yield* sessions.get(s1)).state, "SUSPENDED")
      yield* TestClock.adjust("1 millis")
      assert.deepEqual((yield* logWith(s1, detached)).slice(-1), [detached])
      assert.equal((yield* sessions.get(s1)).state, "DETACHED")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that is ACTIVE again at 119 seconds is not, and a later suspension has its own 120 (S99)", () =>
    Effect.gen(function* () {
      const { sessions } = yield* suspended
      yield* TestClock.adjust("119 seconds")
      yield* sessions.move(s1, "ACTIVE", "back")
      yield* sessions.move(s1, "SUSPENDED")
      yield* TestClock.adjust("119 seconds")
      yield* settled
      assert.equal((yield* sessions.get(s1)).state, "SUSPENDED")
      yield* TestClock.adjust("1 seconds")
      assert.include(yield* logWith(s1, detached), detached)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is detached also when the store refuses it at first, and its actor sleeps", () =>
    Effect.gen(function* () {
      const { faulty, sessions } = yield* suspended
      faulty.next("commit", FaultyStore.fails("Busy"), { times: 3 })
      faulty.next("commit", FaultyStore.fails("Full"))
      yield* TestClock.adjust("120 seconds")
      yield* settled
      yield* TestClock.adjust("10 seconds")
      assert.include(yield* logWith(s1, detached), detached)
      assert.equal((yield* sessions.get(s1)).state, "DETACHED")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps its time over a restart", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const server = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layer({ store: Layer.succeed(EventStore, store) }), scope)
        return { sessions: Context.get(context, SessionRegistry), stop: Scope.close(scope, Exit.void) }
      })
      const first = yield* server
      for (const session of [s1, s2]) {
        yield* first.sessions.append(session, { events: events("1") })
        for (const state of ["STARTING", "ACTIVE", "SUSPENDED"] as const) yield* first.sessions.move(session, state)
      }
      yield* TestClock.adjust("100 seconds")
      yield* first.stop
      yield* TestClock.adjust("10 seconds")
      const second = yield* server
      yield* second.sessions.move(s2, "ACTIVE")
      yield* TestClock.adjust("9 seconds")
      yield* settled
      assert.equal((yield* second.sessions.get(s1)).state, "SUSPENDED")
      yield* TestClock.adjust("1 seconds")
      assert.include(yield* Effect.provideService(logWith(s1, detached), EventStore, store), detached)
      assert.notInclude(yield* Effect.provideService(log(s2), EventStore, store), detached)
      yield* second.stop
    })
  )
})
