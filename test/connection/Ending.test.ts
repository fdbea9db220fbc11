import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema, TestClock } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, numbers, s1, s2 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { deaths, fromTo, hasSeq, layer, open, openMany, places, rooms, seqs, watch } from "./ConnectionRooms.ts"

const bye = Schema.decodeUnknownSync(Schema.Struct({ reason: Schema.String, retry: Schema.Number }))

describe("the end of a stream", () => {
  it.effect("comes with a delete: sluice.end is the last frame, and the connection is gone (S68)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: numbers(1, 3) })
      const live = open(connections, s1, ReplayPlan.start)
      const other = open(connections, s2)
      yield* Effect.all([live.named("sluice.live"), other.named("sluice.live")])
      yield* sessions.remove(s1)
      yield* live.closed
      assert.deepEqual(live.told("end"), [{ session: "s1", cursor: `${epoch}.3`, reason: "deleted" }])
      assert.deepEqual([live.events.at(-1)?.name, live.isEnded, live.isDestroyed], ["sluice.end", true, false])
      assert.deepEqual([other.isClosed, connections.size()], [false, 1])
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("comes after the events that waited for the socket when the session was deleted", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = open(connections, s1, undefined, new TestSocket.TestSocket({ highWaterMark: 1 }))
      yield* socket.named("sluice.live")
      socket.pause()
      for (const seq of fromTo(1, 3)) yield* sessions.append(s1, { events: events(`${seq}`) })
      yield* settled
      yield* sessions.remove(s1)
      yield* settled
      socket.resume()
      yield* socket.closed
      assert.deepEqual([seqs(socket), socket.events.at(-1)?.name], [[1, 2, 3], "sluice.end"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of one session on a stream over several leaves the others as they are (S93)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 2) })
      const socket = openMany(connections, [watch(s1), watch(s2)])
      yield* socket.named("sluice.live", 2)
      yield* sessions.remove(s1)
      yield* sessions.append(s1, { events: events("of the next log") })
      yield* sessions.append(s2, { events: events("1") })
      yield* socket.named("message")
      yield* settled
      assert.deepEqual([places(socket), socket.told("end").length, socket.isClosed], [["s2 1"], 1, false])
      yield* sessions.remove(s2)
      yield* socket.closed
      assert.equal(socket.told("end").length, 2)
    }).pipe(Effect.provide(layer()))
  )

  // promise 6.
  it.effect("reaches every watcher of a deleted session, also beside one whose socket throws", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const before = yield* deaths
      yield* sessions.append(s1, { events: events("1") })
      const broken = openMany(connections, [watch(s1), watch(s2)])
      const other = open(connections, s1)
      yield* Effect.all([broken.named("sluice.live", 2), other.named("sluice.live")])
      broken.breakWhen()
      const removed = yield* Effect.exit(sessions.remove(s1))
      yield* settled
      assert.deepEqual([removed, other.isEnded, other.told("end").length], [Exit.void, true, 1])
      assert.deepEqual([broken.isDestroyed, (yield* deaths) - before], [true, 1])
      assert.equal((yield* sessions.append(s1, { events: events("anew") })).first, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("comes with sluice.bye when its session's actor does not start again", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      faulty.next("commit", FaultyStore.dies(new Error("boom")))
      faulty.next("load", FaultyStore.fails("Unavailable"), { times: 99 })
      yield* Effect.flip(sessions.append(s1, { events: events("x") }))
      yield* TestClock.adjust("2 seconds")
      yield* socket.closed
      assert.deepEqual([bye(socket.told("bye")[0]).reason, socket.isEnded, connections.size()], ["error", true, 0])
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("does not come with the restart of an actor: its watchers get everything, in order (S108)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      yield* sessions.append(s1, { events: numbers(1, 2) })
      faulty.next("commit", FaultyStore.diesAfter(new Error("the answer was lost")))
      yield* Effect.flip(sessions.append(s1, { events: events("3") }))
      yield* sessions.append(s1, { events: events("4") })
      yield* hasSeq(socket, 4)
      assert.deepEqual([seqs(socket), socket.told("gap"), socket.isClosed], [[1, 2, 3, 4], [], false])
    }).pipe(Effect.provide(layer()))
  )

  // promise 3
  it.effect("comes at once when there are too many: 200 with sluice.bye, and a retry that spreads (design §4)", () =>
    Effect.gen(function* () {
      const { connections } = yield* rooms
      const first = [open(connections, s1), open(connections, s1)]
      yield* Effect.forEach(first, (socket) => socket.named("sluice.live"))
      const refused = fromTo(1, 30).map(() => open(connections, s1))
      const waits = refused.map((socket) => {
        const { reason, retry } = bye(socket.told("bye")[0])
        assert.deepEqual([reason, socket.isEnded, socket.events.length, socket.retries], ["overload", true, 1, [retry]])
        return retry
      })
      assert.isAtLeast(Math.min(...waits), 1000)
      assert.isAtMost(Math.max(...waits), 31_000)
      assert.isAbove(new Set(waits).size, 20)
      assert.equal(connections.size(), 2)
      first[0]?.close()
      yield* settled
      yield* open(connections, s1).named("sluice.live")
    }).pipe(Effect.provide(layer({ connection: { maxConnections: 2 } })))
  )

  it.effect("comes to all in a drain: bye with a jittered retry, done when all have ended, and none begins (S44)", () =>
    Effect.gen(function* () {
      const { connections } = yield* rooms
      const sockets = fromTo(1, 30).map(() => open(connections, s1))
      yield* Effect.forEach(sockets, (socket) => socket.named("sluice.live"))
      yield* connections.drain
      const waits = sockets.map((socket) => {
        assert.deepEqual([socket.isEnded, socket.events.at(-1)?.name], [true, "sluice.bye"])
        const { reason, retry } = bye(socket.told("bye")[0])
        assert.equal(reason, "shutdown")
        return retry
      })
      assert.isTrue(Math.min(...waits) >= 1000 && Math.max(...waits) <= 11_000 && new Set(waits).size > 20)
      const late = open(connections, s1)
      assert.deepEqual([bye(late.told("bye")[0]).reason, late.isEnded, connections.size()], ["shutdown", true, 0])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is the first reason that came: one farewell", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      yield* sessions.remove(s1)
      yield* connections.drain
      assert.deepEqual([socket.told("end").length, socket.told("bye").length], [1, 0])
    }).pipe(Effect.provide(layer()))
  )
})
