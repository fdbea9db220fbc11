import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, TestClock } from "effect"
import * as Deadlines from "../../src/connection/Deadlines.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, s1, s2 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { at, hasSeq, layer, open, openMany, rooms, token, watch } from "./ConnectionRooms.ts"

const heartbeat = ": heartbeat\n\n"

/** A client that reads nothing after `sluice.live`, of a socket that is full at once. */
const stuck = Effect.gen(function* () {
  const { connections, sessions } = yield* rooms
  const socket = open(connections, s1, undefined, new TestSocket.TestSocket({ highWaterMark: 1 }))
  yield* socket.named("sluice.live")
  socket.pause()
  yield* sessions.append(s1, { events: events("x".repeat(1000)) })
  yield* settled
  return socket
})

describe("the deadlines of a stream", () => {
  it.effect("a heartbeat comes after 15 s of silence, to the millisecond, and again after 15 more (S54)", () =>
    Effect.gen(function* () {
      const { connections } = yield* rooms
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      const { received } = socket
      yield* TestClock.adjust("14999 millis")
      assert.equal(socket.received, received)
      yield* TestClock.adjust("1 millis")
      assert.equal(socket.received, received + heartbeat)
      yield* TestClock.adjust("14999 millis")
      assert.equal(socket.received, received + heartbeat)
      yield* TestClock.adjust("1 millis")
      assert.equal(socket.received, received + heartbeat + heartbeat)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("an event at 14 s moves the heartbeat to 29 s (S54)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = open(connections, s1)
      yield* socket.named("sluice.live")
      yield* TestClock.adjust("14 seconds")
      yield* sessions.append(s1, { events: events("1") })
      yield* hasSeq(socket, 1)
      yield* TestClock.adjust("14999 millis")
      assert.equal(socket.comments.length, 0)
      yield* TestClock.adjust("1 millis")
      assert.deepEqual(socket.comments, [" heartbeat"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("no heartbeat comes after the end, nor to a client that has left (S54)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      const ended = open(connections, s1)
      const left = open(connections, s1)
      yield* Effect.all([ended.named("sluice.live"), left.named("sluice.live")])
      left.close()
      yield* sessions.remove(s1)
      yield* ended.closed
      yield* TestClock.adjust("5 minutes")
      assert.deepEqual([ended.comments, left.comments, ended.lateWrites, left.lateWrites], [[], [], 0, 0])
    }).pipe(Effect.provide(layer()))
  )

  // promise 4
  it.effect("a socket that takes no byte is cut off after 30 s, to the millisecond (S43)", () =>
    Effect.gen(function* () {
      const { connections } = yield* rooms
      const socket = yield* stuck
      yield* TestClock.adjust("29999 millis")
      assert.deepEqual([socket.isClosed, connections.size()], [false, 1])
      yield* TestClock.adjust("1 millis")
      yield* socket.closed
      assert.deepEqual([socket.isDestroyed, socket.isEnded, connections.size()], [true, false, 0])
      assert.deepEqual(socket.comments, [])
    }).pipe(Effect.provide(layer()))
  )

  // promise 4
  it.effect("a socket that takes a byte every 29 s stays (S43)", () =>
    Effect.gen(function* () {
      const { connections } = yield* rooms
      const socket = yield* stuck
      for (let byte = 0; byte < 10; byte++) {
        yield* TestClock.adjust("29 seconds")
        socket.take(1)
      }
      assert.deepEqual([socket.isClosed, connections.size()], [false, 1])
      socket.resume()
      yield* hasSeq(socket, 1)
      yield* TestClock.adjust("1 minute")
      assert.isFalse(socket.isClosed)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("after it drained, a socket gets its heartbeat as soon as any other: 15 s after the last frame (S54)", () =>
    Effect.gen(function* () {
      const socket = yield* stuck
      yield* TestClock.adjust("5 seconds")
      socket.resume()
      const before = socket.comments.length
      yield* TestClock.adjust("15 seconds")
      assert.equal(socket.comments.length - before, 1)
    }).pipe(Effect.provide(layer()))
  )

  // promise 4
  it.effect(
    "a socket whose stream has ended is kept while its peer takes bytes, and not longer than 30 s without one",
    () =>
      Effect.gen(function* () {
        const { connections } = yield* rooms
        const [slow, stalled] = [yield* stuck, yield* stuck]
        yield* connections.drain.pipe(Effect.timeoutOption("1 second"), Effect.fork)
        yield* TestClock.adjust("1 second")
        assert.deepEqual([slow.isEnded, stalled.isEnded], [true, true])
        for (let seconds = 0; seconds < 90; seconds += 10) {
          slow.take(1)
          yield* TestClock.adjust("10 seconds")
        }
        assert.deepEqual([slow.isDestroyed, stalled.isDestroyed], [false, true])
        slow.resume()
        yield* slow.closed
        assert.equal(slow.told("bye").length, 1)
      }).pipe(Effect.provide(layer()))
  )

  it.effect("a full socket gets no heartbeat, and one again after it drained", () =>
    Effect.gen(function* () {
      const socket = yield* stuck
      yield* TestClock.adjust("20 seconds")
      assert.equal(socket.writes.filter((text) => text === heartbeat).length, 0)
      socket.resume()
      yield* TestClock.adjust("15 seconds")
      assert.isAtLeast(socket.comments.length, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a slow client that takes bytes stays also when more is written to it meanwhile (S43)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1)], new TestSocket.TestSocket({ highWaterMark: 1 }))
      yield* socket.named("sluice.live")
      socket.pause()
      yield* sessions.append(s1, { events: events("x".repeat(1000)) })
      yield* TestClock.adjust("10 seconds")
      socket.take(50)
      yield* connections.watch(token(socket), [watch(s2)])
      yield* TestClock.adjust("21 seconds")
      assert.isFalse(socket.isClosed)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a stream ends with sluice.bye, reason age, between 80 and 120 % of its age, spread (design §4)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const sockets = Array.from({ length: 40 }, () => open(connections, s1))
      const endings: Array<number> = []
      yield* TestClock.adjust("7999 millis")
      for (let tenths = 80; tenths <= 120; tenths += 4) {
        endings.push(sockets.filter(({ isClosed }) => isClosed).length)
        yield* TestClock.adjust("400 millis")
      }
      assert.deepEqual([endings[0], endings.at(-1), connections.size()], [0, 40, 0])
      assert.isAbove(new Set(endings).size, 5)
      for (const socket of sockets)
        assert.deepEqual([socket.told("bye"), socket.isEnded], [[{ reason: "age", retry: 0 }], true])

      // The client resumes without loss.
      const { epoch } = yield* sessions.append(s1, { events: events("1", "2") })
      const back = open(connections, s1, at(epoch, 0))
      yield* hasSeq(back, 2)
    }).pipe(Effect.provide(layer({ connection: { maxAge: Duration.seconds(10) } })))
  )

  // promise 3
  it.scoped("do not pile up: an entry that no longer counts is asked once, and goes", () =>
    Effect.gen(function* () {
      const deadlines = yield* Deadlines.make
      let asked = 0
      let dueAt = 1000
      const item = {
        isOver: false,
        due: (now: number, at: number) => {
          asked += 1
          if (at !== dueAt) return Number.POSITIVE_INFINITY
          dueAt = now + 1000
          return dueAt
        }
      }
      for (let times = 0; times < 100; times++) deadlines.schedule(1000 + times, item)
      yield* TestClock.adjust("1100 millis")
      assert.equal(asked, 100)
      asked = 0
      yield* TestClock.adjust("900 millis")
      assert.equal(asked, 1)
    })
  )

  it.scoped("come in the order of their times, whatever the order of scheduling; the nearest one wakes", () =>
    Effect.gen(function* () {
      const deadlines = yield* Deadlines.make
      const heard: Array<string> = []
      const times = [500, 100, 900, 300, 700, 200, 1100, 400]
      for (const time of times) {
        deadlines.schedule(time, {
          isOver: false,
          due: (now) => {
            heard.push(`${time} at ${now}`)
            return Number.POSITIVE_INFINITY
          }
        })
      }
      yield* TestClock.adjust("2 seconds")
      assert.deepEqual(
        heard,
        [...times].sort((a, b) => a - b).map((time) => `${time} at ${time}`)
      )
    })
  )
})
