import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, numbers, s1, s2 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { deaths, fallbacks, fromTo, hasSeq, layer, open, openMany, rooms, seqs, watch } from "./ConnectionRooms.ts"

const hundred = fromTo(1, 100)

describe("fan-out", () => {
  it.effect("gives 100 live watchers the same bytes by reference: the batch's own, encoded once (S55)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const sockets = hundred.map(() => open(connections, s1))
      yield* Effect.forEach(sockets, (socket) => socket.named("sluice.live"))
      const before = yield* fallbacks
      yield* sessions.append(s1, { events: events("a", "b") })
      yield* Effect.forEach(sockets, (socket) => hasSeq(socket, 2))
      const batch = faulty.calls("commit")[0]?.batches[0]
      for (const socket of sockets) {
        assert.equal(socket.frames.length, 1)
        assert.isTrue(socket.frames[0] === batch?.frames)
      }
      // Live means that nobody asked the log.
      assert.deepEqual([faulty.calls("readPage").length, (yield* fallbacks) - before], [0, 0])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("wraps a batch once for all streams over several sessions, too (S55)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const sockets = hundred.map(() => openMany(connections, [watch(s1), watch(s2)]))
      yield* Effect.forEach(sockets, (socket) => socket.named("sluice.live", 2))
      yield* sessions.append(s1, { events: events("a", "b") })
      yield* Effect.forEach(sockets, (socket) => socket.named("message", 2))
      assert.equal(new Set(sockets.flatMap(({ frames }) => frames)).size, 1)
    }).pipe(Effect.provide(layer()))
  )

  // promise 5
  it.effect("reads a page of the log once for all clients that return to the same place", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 200) })
      const sockets = hundred.map(() => open(connections, s1, ReplayPlan.start))
      yield* Effect.forEach(sockets, (socket) => socket.named("sluice.live"))
      assert.equal(faulty.calls("readPage").length, 1)
      assert.equal(new Set(sockets.flatMap(({ frames }) => frames)).size, 1)
      for (const socket of sockets) assert.deepEqual(seqs(socket), fromTo(1, 200))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps readers live that read, however large an append is", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const sockets = fromTo(1, 20).map(() => open(connections, s1))
      yield* Effect.forEach(sockets, (socket) => socket.named("sluice.live"))
      const before = yield* fallbacks
      const large = "x".repeat(4000)
      yield* sessions.append(s1, { events: events(...fromTo(1, 1000).map(() => large)) })
      yield* Effect.forEach(sockets, (socket) => hasSeq(socket, 1000))
      assert.deepEqual([faulty.calls("readPage").length, (yield* fallbacks) - before], [0, 0])
      for (const socket of sockets) assert.deepEqual([seqs(socket).length, socket.told("live").length], [1000, 1])
    }).pipe(Effect.provide(layer()))
  )

  // promise 5
  it.effect(
    "reads a page once for all, whether its bound is in events or in bytes, and on streams over several sessions",
    () =>
      Effect.gen(function* () {
        const { connections, faulty, sessions } = yield* rooms
        const large = "x".repeat(4000)
        yield* sessions.append(s1, { events: events(...fromTo(1, 200).map(() => large)) })
        const single = fromTo(1, 10).map(() => open(connections, s1, ReplayPlan.start))
        yield* Effect.forEach(single, (socket) => socket.named("sluice.live"))
        assert.equal(faulty.calls("readPage").length, 4)
        const many = fromTo(1, 10).map(() => openMany(connections, [watch(s1, ReplayPlan.start)]))
        yield* Effect.forEach(many, (socket) => socket.named("sluice.live"))
        assert.equal(faulty.calls("readEvents").length, 4)
        // What was the end of the log is read again when the log has grown.
        yield* sessions.append(s1, { events: events("more") })
        const late = open(connections, s1, ReplayPlan.start)
        yield* late.named("sluice.live")
        assert.deepEqual(seqs(late).at(-1), 201)
      }).pipe(Effect.provide(layer({ connection: { replayCap: 1000 } })))
  )

  it.effect("makes one write of all batches that wait", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const single = open(connections, s1)
      const many = openMany(connections, [watch(s1), watch(s2)])
      yield* Effect.all([single.named("sluice.live"), many.named("sluice.live", 2)])
      const large = "x".repeat(100_000)
      yield* Effect.all(
        [
          sessions.append(s1, { events: events(large, large, large, large, large) }),
          sessions.append(s2, { events: events("a") })
        ],
        { concurrency: 2 }
      )
      yield* Effect.all([hasSeq(single, 5), many.named("message", 6)])
      assert.deepEqual([single.frames.length, single.writes.length], [3, 2])
      assert.deepEqual([many.frames.length, many.writes.length], [4, 2])
    }).pipe(Effect.provide(layer()))
  )

  // promises 4 and 6
  it.effect(
    "ends a connection whose socket throws, alone; nothing is written past it, and it is logged and counted (S85, S108)",
    () =>
      Effect.gen(function* () {
        const { connections, log, sessions } = yield* rooms
        const before = yield* deaths
        const broken = open(connections, s1)
        const other = open(connections, s1)
        yield* Effect.all([broken.named("sluice.live"), other.named("sluice.live")])
        broken.breakWhen((text) => text.includes("event 5"))
        for (const seq of fromTo(1, 8)) yield* sessions.append(s1, { events: events(`event ${seq}`) })
        yield* Effect.all([broken.closed, hasSeq(other, 8)])
        assert.deepEqual([seqs(broken), seqs(other)], [fromTo(1, 4), fromTo(1, 8)])
        assert.deepEqual([broken.brokenWrites, broken.lateWrites, broken.isDestroyed], [1, 0, true])
        yield* settled
        assert.deepEqual([(yield* deaths) - before, connections.size(), sessions.find(s1)?.watchers.size], [1, 1, 1])
        assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("this socket is broken")))

        // An offered event never counts as received: the client returns with the last one it saw.
        const { epoch } = yield* sessions.get(s1)
        const back = open(connections, s1, ReplayPlan.at({ epoch, seq: 4 }))
        yield* back.named("sluice.live")
        assert.deepEqual(seqs(back), fromTo(5, 8))
      }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect("ends a connection alone whose socket throws at its first frame, in a page, or in a heartbeat", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const before = yield* deaths
      yield* sessions.append(s1, { events: numbers(1, 3) })
      for (const [index, at] of ["sluice.hello", "data: 2\n"].entries()) {
        const socket = new TestSocket.TestSocket()
        socket.breakWhen((text) => text.includes(at))
        open(connections, s1, ReplayPlan.start, socket)
        yield* socket.closed
        yield* settled
        assert.deepEqual([socket.isDestroyed, socket.lateWrites, (yield* deaths) - before], [true, 0, index + 1])
      }
      const silent = open(connections, s1)
      yield* silent.named("sluice.live")
      silent.breakWhen()
      yield* TestClock.adjust("15 seconds")
      yield* silent.closed
      assert.deepEqual([silent.isDestroyed, (yield* deaths) - before], [true, 3])
      assert.deepEqual([connections.size(), sessions.find(s1)?.watchers.size], [0, 0])
    }).pipe(Effect.provide(layer()))
  )
})
