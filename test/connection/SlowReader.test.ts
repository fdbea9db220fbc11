import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, numbers, s1, send } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { at, fallbacks, fromTo, hasSeq, layer, open, rooms, seqs } from "./ConnectionRooms.ts"

const kilobytes = (count: number) => "x".repeat(count * 1024)

describe("a slow reader", () => {
  // promises 2, 3 and 4
  it.effect(
    "that pauses for 5,000 events of 2 KB catches up from the log, in order, on the same connection (S83)",
    () =>
      Effect.gen(function* () {
        const { connections, faulty, sessions } = yield* rooms
        const before = yield* fallbacks
        const socket = open(connections, s1)
        yield* socket.named("sluice.live")
        socket.pause()
        for (let batch = 0; batch < 50; batch++) {
          yield* sessions.append(s1, { events: events(...fromTo(1, 100).map(() => kilobytes(2))) })
        }
        yield* settled
        // Its queue was dropped, and nothing is read for it while its socket is full.
        assert.deepEqual([(yield* fallbacks) - before, faulty.calls("readPage").length], [1, 0])
        assert.isAtMost(socket.unsent(), 300 * 1024)

        // It reads a little at a time: each page waits for the socket.
        for (let turn = 0; turn < 400 && seqs(socket).length < 3000; turn++) {
          socket.take()
          yield* settled
          assert.isAtMost(socket.unsent(), 300 * 1024)
        }
        socket.resume()
        yield* socket.named("sluice.live", 2)
        assert.deepEqual(seqs(socket), fromTo(1, 5000))
        assert.deepEqual([socket.told("gap"), socket.told("hello").length], [[], 1])

        const pages = faulty.calls("readPage").length
        yield* sessions.append(s1, { events: events("live again") })
        yield* hasSeq(socket, 5001)
        assert.equal(faulty.calls("readPage").length, pages)
      }).pipe(Effect.provide(layer()))
  )

  // promises 3 and 4
  it.effect("costs its bound and delays nobody: 20 that never read, one that gets 2,000 events of 8 KB (S84)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const idle = fromTo(1, 20).map(() => open(connections, s1))
      const reader = open(connections, s1)
      yield* Effect.forEach([...idle, reader], (socket) => socket.named("sluice.live"))
      for (const socket of idle) socket.pause()
      for (let batch = 0; batch < 100; batch++) {
        yield* sessions.append(s1, { events: events(...fromTo(1, 20).map(() => kilobytes(8))) })
        yield* hasSeq(reader, 20 * (batch + 1))
      }
      assert.deepEqual(seqs(reader), fromTo(1, 2000))
      for (const socket of idle) {
        assert.isAtMost(socket.unsent(), 200 * 1024)
        assert.isFalse(socket.isClosed)
      }
      assert.equal(faulty.calls("readPage").length, 0)

      // One drain: one page, no more.
      const [first] = idle
      first?.take()
      yield* settled
      first?.take()
      yield* settled
      assert.isAtMost(faulty.calls("readPage").length, 2)
      assert.isAtMost(first?.unsent() ?? 0, 270 * 1024)
    }).pipe(Effect.provide(layer()))
  )

  // promise 3
  for (const [bound, options, size] of [
    ["batches", { maxBatches: 3 }, 100],
    ["bytes", { maxBytes: 3 * 1100 }, 1000]
  ] as const) {
    it.effect(`has at most so many ${bound} in its queue; one more, and all of it is dropped for the log`, () =>
      Effect.gen(function* () {
        const { connections, faulty, sessions } = yield* rooms
        const before = yield* fallbacks
        const socket = open(connections, s1, undefined, new TestSocket.TestSocket({ highWaterMark: 1 }))
        yield* socket.named("sluice.live")
        socket.pause()
        const append = Effect.zipRight(sessions.append(s1, { events: events("x".repeat(size)) }), settled)
        // One fills the socket, three wait.
        for (const _ of fromTo(1, 4)) yield* append
        assert.equal((yield* fallbacks) - before, 0)
        yield* append
        assert.equal((yield* fallbacks) - before, 1)
        socket.resume()
        yield* socket.named("sluice.live", 2)
        assert.deepEqual(seqs(socket), fromTo(1, 5))
        assert.equal(faulty.calls("readPage").length, 1)
      }).pipe(Effect.provide(layer({ connection: options })))
    )
  }

  // promise 3
  it.effect("is sent an event that is larger than its whole queue", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      yield* sessions.append(s1, { events: events(kilobytes(9), "small", kilobytes(9)) })
      yield* hasSeq(socket, 3)
      assert.deepEqual(seqs(socket), [1, 2, 3])
    }).pipe(Effect.provide(layer({ connection: { maxBytes: 8 * 1024 } })))
  )

  // promise 4.
  it.effect("is not cut off for an event of the largest size that it has not taken at once", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: events(kilobytes(1024)) })
      const socket = new TestSocket.TestSocket()
      open(connections, s1, at(epoch, 0), socket)
      socket.pause()
      yield* socket.until(({ writes }) => writes.length > 1).pipe(Effect.race(settled))
      assert.isFalse(socket.isClosed)
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("that retention overtakes is told the gap, once, and goes on at what is kept", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = open(connections, s1, undefined, new TestSocket.TestSocket({ highWaterMark: 1 }))
      yield* socket.named("sluice.live")
      socket.pause()
      for (const first of [1, 101, 201, 301]) yield* sessions.append(s1, { events: numbers(first, 100) })
      yield* settled
      socket.resume()
      yield* socket.named("sluice.live", 2)
      const { epoch } = yield* sessions.get(s1)
      const gap = { session: "s1", after: 100, next: 301, missed: 200, oldest: 301, head: 400, reason: "retention" }
      assert.deepEqual(socket.told("gap"), [gap])
      assert.deepEqual(seqs(socket), [...fromTo(1, 100), ...fromTo(301, 400)])
      // It stands between, and a browser that breaks off there does not ask for it again.
      const index = socket.events.findIndex(({ name }) => name === "sluice.gap")
      assert.deepEqual(
        [index - 1, index, index + 1].map((near) => socket.events[near]?.lastId),
        [`${epoch}.100`, `${epoch}.300`, `${epoch}.301`]
      )
    }).pipe(Effect.provide(layer({ session: { retainEvents: 100 }, connection: { maxBatches: 1 } })))
  )

  // promise 2
  it.effect("of whose log nothing is kept is told so, and gets what comes next", () =>
    Effect.gen(function* () {
      const { connections, sessions, store } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: numbers(1, 10) })
      const actor = yield* sessions.start(s1)
      actor.moveOldest(11)
      yield* store.trim(s1, 11)
      const socket = open(connections, s1, at(epoch, 4))
      yield* socket.named("sluice.live")
      assert.deepInclude(socket.told("gap")[0], { after: 4, next: 11, missed: 6, reason: "retention" })
      yield* sessions.append(s1, { events: events("11") })
      yield* hasSeq(socket, 11)
      assert.deepEqual(seqs(socket), [11])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("tries a page again a second after the store refused it", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 3) })
      faulty.next("readPage", FaultyStore.fails("Unavailable"))
      const socket = open(connections, s1, ReplayPlan.start)
      yield* socket.named("sluice.hello")
      yield* settled
      assert.deepEqual([seqs(socket), faulty.calls("readPage").length], [[], 1])
      yield* TestClock.adjust("999 millis")
      assert.equal(faulty.calls("readPage").length, 1)
      yield* TestClock.adjust("1 millis")
      yield* socket.named("sluice.live")
      assert.deepEqual(seqs(socket), [1, 2, 3])
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("gets what is committed while its page is on its way", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 3) })
      const read = yield* FaultyStore.holdsAnswer
      faulty.next("readPage", read)
      const socket = open(connections, s1, ReplayPlan.start)
      yield* read.reached
      yield* sessions.append(s1, { events: numbers(4, 2) })
      yield* settled
      yield* read.release
      yield* socket.named("sluice.live")
      yield* sessions.append(s1, { events: events("6") })
      yield* hasSeq(socket, 6)
      assert.deepEqual(seqs(socket), fromTo(1, 6))
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("misses nothing that is committed while the log is read for it after a restart", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      const read = yield* FaultyStore.holdsAnswer
      faulty.next("readPage", read)
      faulty.next("commit", FaultyStore.dies(new Error("boom")))
      yield* Effect.flip(sessions.append(s1, { events: events("lost") }))
      yield* read.reached
      yield* sessions.append(s1, { events: events("1") })
      yield* settled
      yield* read.release
      yield* sessions.append(s1, { events: events("2") })
      yield* hasSeq(socket, 2)
      assert.deepEqual([socket.told("gap"), seqs(socket)], [[], [1, 2]])
    }).pipe(Effect.provide(layer()))
  )

  // promises 1 and 2.
  it.effect("reads nothing of a commit that is not reported yet, and is not 'ahead' when it returns", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: events("1") })
      const commit = yield* FaultyStore.holdsAnswer
      faulty.next("commit", commit)
      const append = yield* send(sessions, s1, events("2"))
      yield* commit.reached
      const socket = open(connections, s1, at(epoch, 0))
      yield* socket.named("sluice.live")
      const early = seqs(socket)
      socket.close()
      const back = open(connections, s1, at(epoch, early.at(-1) ?? 0))
      yield* back.named("sluice.live")
      yield* commit.release
      yield* append.answer
      yield* hasSeq(back, 2)
      assert.deepEqual([early, back.told("gap"), seqs(back)], [[1], [], [2]])
    }).pipe(Effect.provide(layer()))
  )
})
