import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, numbers, s1, s2 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { at, fromTo, hasSeq, layer, open, openMany, places, rooms, seqs, token, watch } from "./ConnectionRooms.ts"

describe("opening a stream", () => {
  it.effect("says hello first and at once, of a known and of an unknown session, and then that it is live (S53)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: numbers(1, 3) })
      const known = open(connections, s1)
      yield* known.named("sluice.live")
      assert.deepEqual(known.told("hello"), [
        {
          token: token(known),
          heartbeat: 15,
          retry: 2000,
          session: "s1",
          epoch,
          cursor: `${epoch}.3`,
          oldest: 1,
          head: 3,
          mode: "started"
        }
      ])
      assert.match(token(known), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.isTrue(known.received.startsWith(`retry: 2000\nid: ${epoch}.3\nevent: sluice.hello\n`))
      assert.deepEqual(known.told("live"), [{ session: "s1", cursor: `${epoch}.3` }])
      assert.equal(known.writes.length, 1)

      const unknown = open(connections, s2)
      yield* unknown.named("sluice.live")
      assert.deepInclude(unknown.told("hello")[0], { epoch: null, cursor: null, oldest: 1, head: 0, mode: "started" })
      assert.equal(unknown.lastId, Cursor.format(Cursor.origin))
      yield* sessions.append(s2, { events: events("first") })
      yield* unknown.named("message")
      assert.deepEqual(seqs(unknown), [1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("waits with its hello for nothing but the actor: nothing is written before it (S53)", () =>
    Effect.gen(function* () {
      const { connections, faulty } = yield* rooms
      const load = yield* FaultyStore.holds
      faulty.next("load", load)
      const socket = open(connections, s1)
      yield* load.reached
      assert.equal(socket.received, "")
      yield* load.release
      yield* socket.named("sluice.hello")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("starts at the head and sends no old event, unless it is told a place (S72)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 5) })
      const atHead = open(connections, s1, ReplayPlan.head)
      const atStart = open(connections, s1, ReplayPlan.start)
      yield* sessions.append(s1, { events: events("6") })
      yield* Effect.all([hasSeq(atHead, 6), hasSeq(atStart, 6)])
      assert.deepEqual([seqs(atHead), seqs(atStart)], [[6], fromTo(1, 6)])
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("resumes at cursor 50 of 80 with 51..80 once each, then live, without a gap (S73)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: numbers(1, 80) })
      const socket = open(connections, s1, at(epoch, 50))
      yield* socket.named("sluice.live")
      assert.deepInclude(socket.told("hello")[0], { mode: "resumed", cursor: `${epoch}.50`, head: 80 })
      assert.deepEqual(seqs(socket), fromTo(51, 80))
      assert.deepEqual(
        socket.events.map(({ name }) => name),
        ["sluice.hello", ...fromTo(51, 80).map(() => "message"), "sluice.live"]
      )
      assert.deepEqual(socket.told("live"), [{ session: "s1", cursor: `${epoch}.80` }])
      assert.equal(socket.lastId, `${epoch}.80`)
    }).pipe(Effect.provide(layer()))
  )

  // promise 5
  it.effect("replays the newest 200 of 6,000 after one gap, then lives, without the clock (S75)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      for (let first = 1; first <= 6000; first += 1000) yield* sessions.append(s1, { events: numbers(first, 1000) })
      const { epoch, head } = yield* sessions.start(s1)
      const gap = { session: "s1", next: 5801, oldest: 1, head: 6000, reason: "cap" }
      for (const [position, after, missed] of [
        [at(epoch, 10), 10, 5790],
        [ReplayPlan.start, 0, 5800]
      ] as const) {
        const socket = open(connections, s1, position)
        yield* socket.named("sluice.live")
        assert.deepEqual(socket.told("gap"), [{ ...gap, after, missed }])
        assert.deepEqual(seqs(socket), fromTo(5801, head))
        assert.equal(socket.events[1]?.name, "sluice.gap")
        assert.equal(socket.events[1]?.lastId, `${epoch}.5800`)
      }
      const resumed = open(connections, s1, at(epoch, 5800))
      yield* sessions.append(s1, { events: events("6001") })
      yield* hasSeq(resumed, 6001)
      assert.deepEqual([resumed.told("gap"), seqs(resumed)], [[], fromTo(5801, 6001)])
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("tells a gap when the log is another one, or lost its tail (S79)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: numbers(1, 5) })
      const former = open(connections, s1, at("former", 3))
      const ahead = open(connections, s1, at(epoch, 99))
      yield* Effect.all([former.named("sluice.live"), ahead.named("sluice.live")])
      assert.deepInclude(former.told("hello")[0], { mode: "reset" })
      assert.deepInclude(former.told("gap")[0], { after: 0, next: 1, missed: null, reason: "epoch" })
      assert.deepInclude(ahead.told("hello")[0], { mode: "reset" })
      assert.deepInclude(ahead.told("gap")[0], { after: 5, next: 6, missed: null, reason: "ahead" })
      yield* sessions.append(s1, { events: events("6") })
      yield* Effect.all([hasSeq(former, 6), hasSeq(ahead, 6)])
      assert.deepEqual([seqs(former), seqs(ahead)], [fromTo(1, 6), [6]])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("tells a browser that its Last-Event-ID was no cursor (S80)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 5) })
      const socket = new TestSocket.TestSocket()
      connections.open(socket, { form: "single", watches: [watch(s1)], isBadCursor: true })
      yield* socket.named("sluice.live")
      assert.deepInclude(socket.told("hello")[0], { mode: "reset", problem: "bad_cursor", head: 5 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("greets a stream over several sessions with the place of each, and their vector as id", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const { epoch } = yield* sessions.append(s1, { events: numbers(1, 5) })
      const socket = openMany(connections, [watch(s1, at(epoch, 3)), watch(s2)])
      yield* socket.named("sluice.live", 2)
      assert.deepInclude(socket.told("hello")[0], {
        heartbeat: 15,
        retry: 2000,
        sessions: [
          { session: "s1", epoch, cursor: `${epoch}.3`, oldest: 1, head: 5, mode: "resumed" },
          { session: "s2", epoch: null, cursor: null, oldest: 1, head: 0, mode: "started" }
        ]
      })
      assert.deepEqual(places(socket), ["s1 4", "s1 5"])
      const vector = VectorCursor.parse(socket.lastId)
      assert.deepEqual([vector?.size, vector?.get("s1"), vector?.get("s2")], [2, { epoch, seq: 5 }, Cursor.origin])
      for (const write of socket.writes) assert.match(write, /\n\nid: [A-Za-z0-9._-]+\n\n$/)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("says bye when the store cannot say where the session stands, and the client may return", () =>
    Effect.gen(function* () {
      const { connections, faulty, log } = yield* rooms
      faulty.next("load", FaultyStore.fails("Unavailable"))
      const socket = open(connections, s1)
      yield* socket.closed
      assert.deepEqual(socket.told("bye"), [{ reason: "error", retry: 2000 }])
      assert.deepEqual([socket.isEnded, socket.retries, connections.size()], [true, [2000], 0])
      assert.isTrue(log.some(({ text }) => text.includes("a stream could not be opened")))
      yield* open(connections, s1).named("sluice.live")
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("loses nothing that is committed while its actor starts", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const load = yield* FaultyStore.holdsAnswer
      faulty.next("load", load)
      const socket = open(connections, s1, ReplayPlan.start)
      yield* load.reached
      yield* sessions.append(s1, { events: numbers(1, 3) })
      yield* load.release
      yield* hasSeq(socket, 3)
      yield* settled
      assert.deepEqual(seqs(socket), [1, 2, 3])
    }).pipe(Effect.provide(layer()))
  )
})
