import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, numbers, s1, s2 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { fromTo, layer, open, openMany, rooms, seqs, watch } from "./ConnectionRooms.ts"

describe("the interruption of a stream", () => {
  for (const [moment, arrange] of [
    ["its actor starts", "load"],
    ["a page is read for it", "readPage"]
  ] as const) {
    // promises 3 and 6
    it.effect(`leaves no watcher and no entry when the client goes away while ${moment} (S159)`, () =>
      Effect.gen(function* () {
        const { connections, faulty, sessions, store } = yield* rooms
        yield* sessions.append(s1, { events: numbers(1, 3) })
        yield* sessions.append(s2, { events: numbers(1, 3) })
        const session = arrange === "load" ? s1 : s2
        if (arrange === "load") yield* TestClock.adjust("2 minutes")
        const held = yield* FaultyStore.holds
        faulty.next(arrange, held)
        const socket = open(connections, session, ReplayPlan.start)
        yield* held.reached
        socket.close()
        yield* settled
        assert.deepEqual([connections.size(), sessions.find(session)?.watchers.size ?? 0], [0, 0])
        yield* held.release
        yield* settled
        assert.deepEqual([seqs(socket), socket.lateWrites], [[], 0])
        assert.equal((yield* store.load(session))._tag, "Some")
      }).pipe(Effect.provide(layer()))
    )
  }

  // promises 3 and 6
  it.effect("leaves nothing behind when it comes after any number of turns (S159)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 200) })
      for (const yields of fromTo(0, 30)) {
        const single = open(connections, s1, ReplayPlan.start)
        const many = openMany(connections, [watch(s1, ReplayPlan.start), watch(s2)])
        const append = yield* Effect.fork(sessions.append(s2, { events: events("x") }))
        for (const _ of fromTo(1, yields)) yield* Effect.yieldNow()
        single.close()
        many.close()
        yield* Fiber.join(append)
        yield* settled
        const watchers = [s1, s2].map((session) => sessions.find(session)?.watchers.size)
        assert.deepEqual([connections.size(), ...watchers, single.lateWrites, many.lateWrites], [0, 0, 0, 0, 0])
      }
    }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect("comes with the scope of the rooms: sockets, watchers and fibers are gone (S159)", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { connections, faulty, sessions } = yield* Effect.provide(rooms, context)
      yield* sessions.append(s1, { events: numbers(1, 3) })
      const live = open(connections, s1)
      const slow = open(connections, s1, undefined, new TestSocket.TestSocket({ highWaterMark: 1 }))
      yield* Effect.all([live.named("sluice.live"), slow.named("sluice.live")])
      slow.pause()
      yield* sessions.append(s1, { events: events("4") })
      const read = yield* FaultyStore.holds
      faulty.next("readPage", read)
      const replaying = open(connections, s1, ReplayPlan.start)
      yield* read.reached
      const actor = sessions.find(s1)
      yield* Scope.close(scope, Exit.void)
      assert.deepEqual(
        [live, slow, replaying].map(({ isClosed, lateWrites }) => [isClosed, lateWrites]),
        [
          [true, 0],
          [true, 0],
          [true, 0]
        ]
      )
      assert.deepEqual([connections.size(), actor?.watchers.size], [0, 0])
      yield* TestClock.adjust("1 hour")
      assert.deepEqual([live.comments, live.lateWrites], [[], 0])
    })
  )
})
