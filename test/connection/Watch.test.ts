import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { maxWatches } from "../../src/domain/Connection.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import { SessionId } from "../../src/domain/Session.ts"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events, numbers, s1, s2 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { at, fromTo, layer, open, openMany, places, rooms, token, watch } from "./ConnectionRooms.ts"

const both = [s1, s2] as const

describe("watching several sessions on one connection", () => {
  // promise 2
  it.effect("gives a session's events once each, and only between the answers to watch and unwatch (S90)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      const append = (data: string) =>
        Effect.all(
          both.map((session) => sessions.append(session, { events: events(data) })),
          { discard: true }
        )
      yield* append("before")
      const twice = Effect.all([
        connections.watch(token(socket), [watch(s2)]),
        connections.watch(token(socket), [watch(s2)])
      ])
      assert.deepEqual(yield* twice, [both, both])
      yield* append("between")
      yield* socket.named("message", 3)
      assert.deepEqual(yield* connections.unwatch(token(socket), [s2]), [s1])
      yield* append("after")
      yield* socket.named("message", 4)
      yield* settled
      assert.deepEqual(
        places(socket).filter((place) => place.startsWith("s1")),
        ["s1 1", "s1 2", "s1 3"]
      )
      assert.deepEqual(
        places(socket).filter((place) => place.startsWith("s2")),
        ["s2 2"]
      )
      assert.deepEqual([sessions.find(s2)?.watchers.size, socket.told("end")], [0, []])
      assert.deepEqual(Array.from(VectorCursor.parse(socket.lastId)?.keys() ?? []), ["s1"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is watched once also by two requests at the same time, whose actor still starts (S90)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      const load = yield* FaultyStore.holds
      faulty.next("load", load, { times: 2 })
      const request = connections.watch(token(socket), [watch(s2)])
      const requests = yield* Effect.fork(Effect.all([request, request], { concurrency: 2 }))
      yield* load.reached
      yield* load.release
      assert.deepEqual(yield* Fiber.join(requests), [both, both])
      yield* sessions.append(s2, { events: events("1") })
      yield* socket.named("message")
      yield* settled
      assert.deepEqual([places(socket), sessions.find(s2)?.watchers.size], [["s2 1"], 1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("gives nothing of a session any more that was unwatched in the middle of its replay (S90)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      yield* sessions.append(s2, { events: numbers(1, 150) })
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      const second = yield* FaultyStore.holdsAnswer
      let read = 0
      faulty.next("readEvents", second, { when: () => ++read === 2 })
      yield* connections.watch(token(socket), [watch(s2, ReplayPlan.start)])
      yield* second.reached
      yield* connections.unwatch(token(socket), [s2])
      yield* second.release
      yield* sessions.append(s1, { events: events("1") })
      yield* socket.until(() => places(socket).includes("s1 1"))
      assert.deepEqual(places(socket), [...fromTo(1, 50).map((seq) => `s2 ${seq}`), "s1 1"])
      assert.equal(read, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("drops what waits of an unwatched session for a full socket", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1), watch(s2)], new TestSocket.TestSocket({ highWaterMark: 1 }))
      yield* socket.named("sluice.live", 2)
      socket.pause()
      for (const session of [s1, s2, s1]) yield* sessions.append(session, { events: events("x") })
      yield* settled
      yield* connections.unwatch(token(socket), [s2])
      socket.resume()
      yield* socket.named("message", 2)
      yield* settled
      assert.deepEqual(places(socket), ["s1 1", "s1 2"])
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("begins at a cursor, at the start or at the head, by the plan of a connect (S91)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const ids = ["a", "b", "c", "d"].map((id) => SessionId.make(id))
      const [a, b, c, d] = ids
      if (a === undefined || b === undefined || c === undefined || d === undefined) return assert.fail("four ids")
      const epochs = yield* Effect.forEach(ids, (session) => sessions.append(session, { events: numbers(1, 300) }))
      const epoch = epochs[0]?.epoch ?? ""
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      const watches = [watch(a, at(epoch, 299)), watch(b, ReplayPlan.start), watch(c), watch(d, at("former", 3))]
      yield* connections.watch(token(socket), watches)
      yield* socket.named("sluice.live", 5)
      const of = (session: string) => places(socket).filter((place) => place.startsWith(`${session} `))
      assert.deepEqual([of("a"), of("b").length, of("c"), of("d").length], [["a 300"], 200, [], 200])
      const gaps = socket.told("gap")
      assert.deepInclude(gaps[0], { session: "b", after: 0, next: 101, missed: 100, reason: "cap" })
      assert.deepInclude(gaps[1], { session: "d", after: 0, next: 101, missed: null, reason: "epoch" })
      assert.equal(gaps.length, 2)
    }).pipe(Effect.provide(layer()))
  )

  // promise 8
  it.effect(
    "refuses an unknown token, a stream over one session, and the 101st session; then no watch changed (S92)",
    () =>
      Effect.gen(function* () {
        const { connections, sessions } = yield* rooms
        const socket = openMany(connections, [watch(s1)])
        const single = open(connections, s1)
        yield* Effect.all([socket.named("sluice.live"), single.named("sluice.live")])
        const other = fromTo(1, maxWatches).map((index) => SessionId.make(`other-${index}`))
        const refusals = [
          [connections.watch("no-such-token", [watch(s2)]), "ConnectionNotFound"],
          [connections.unwatch("no-such-token", [s1]), "ConnectionNotFound"],
          [connections.watch(token(single), [watch(s2)]), "InvalidRequest"],
          [connections.unwatch(token(single), [s1]), "InvalidRequest"],
          [
            connections.watch(
              token(socket),
              other.map((session) => watch(session))
            ),
            "InvalidRequest"
          ]
        ] as const
        for (const [request, tag] of refusals) assert.equal((yield* Effect.flip(request))._tag, tag)
        assert.equal(sessions.find(other[0] ?? s2)?.watchers.size ?? 0, 0)
        const fits = other.slice(1).map((session) => watch(session))
        assert.equal((yield* connections.watch(token(socket), [watch(s1), ...fits])).length, maxWatches)
        assert.deepEqual(yield* connections.unwatch(token(socket), [s2]), [s1, ...other.slice(1)])
      }).pipe(Effect.provide(layer()))
  )

  // promises 6 and 8
  it.effect("changes nothing when the store cannot say where one of the sessions stands (S92)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      faulty.next("load", FaultyStore.fails("Unavailable"), { when: (call) => call.sessions.includes(s2) })
      const b = SessionId.make("b")
      const error = yield* Effect.flip(connections.watch(token(socket), [watch(b), watch(s2)]))
      assert.equal(error._tag, "StoreError")
      assert.deepEqual([sessions.find(b)?.watchers.size ?? 0, yield* connections.unwatch(token(socket), [])], [0, [s1]])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("refuses a watch whose connection left while the session's actor started", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      const load = yield* FaultyStore.holds
      faulty.next("load", load)
      const request = yield* Effect.fork(Effect.flip(connections.watch(token(socket), [watch(s2)])))
      yield* load.reached
      socket.close()
      yield* load.release
      assert.equal((yield* Fiber.join(request))._tag, "ConnectionNotFound")
      assert.deepEqual([sessions.find(s2)?.watchers.size ?? 0, socket.lateWrites], [0, 0])
    }).pipe(Effect.provide(layer()))
  )

  // promise 4
  it.effect("lets a quiet session wait for at most one page of 50 of a busy one (S94)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      yield* sessions.append(s1, { events: numbers(1, 1000) })
      const third = yield* FaultyStore.holdsAnswer
      let read = 0
      faulty.next("readEvents", third, { when: () => ++read === 3 })
      const socket = openMany(connections, [watch(s1, ReplayPlan.start), watch(s2)])
      yield* third.reached
      yield* sessions.append(s2, { events: events("urgent") })
      yield* socket.until(() => places(socket).includes("s2 1"))
      assert.deepEqual(places(socket).length, 101)
      yield* third.release
      yield* socket.named("sluice.live", 2)
      assert.equal(places(socket).length, 1001)
    }).pipe(Effect.provide(layer({ connection: { replayCap: 1000 } })))
  )

  // promise 4
  it.effect("reads several sessions that are behind in turns, a page of 50 each (S94)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      for (const session of both) yield* sessions.append(session, { events: numbers(1, 150) })
      const socket = openMany(connections, [watch(s1, ReplayPlan.start), watch(s2, ReplayPlan.start)])
      yield* socket.named("sluice.live", 2)
      const pages = fromTo(0, 5).map(
        (page) =>
          new Set(
            places(socket)
              .slice(50 * page, 50 * page + 50)
              .map((at) => at[1])
          ).size
      )
      assert.deepEqual(pages, [1, 1, 1, 1, 1, 1])
      assert.notEqual(places(socket)[0]?.[1], places(socket)[50]?.[1])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("starts from nothing on a new connection; the late end of the old one changes nothing of it (S95)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const old = openMany(connections, [watch(s1), watch(s2)])
      yield* old.named("sluice.live", 2)
      const anew = openMany(connections, [watch(s1)])
      yield* anew.named("sluice.live")
      assert.notEqual(token(old), token(anew))
      old.close()
      yield* settled
      assert.equal((yield* Effect.flip(connections.watch(token(old), [watch(s2)])))._tag, "ConnectionNotFound")
      for (const session of both) yield* sessions.append(session, { events: events("1") })
      yield* anew.named("message")
      yield* settled
      assert.deepEqual([places(anew), places(old), connections.size()], [["s1 1"], [], 1])
    }).pipe(Effect.provide(layer()))
  )

  // promise 6.
  it.effect("ends a connection whose socket throws at a new watch, and tells the caller that it is gone", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      const socket = openMany(connections, [watch(s1)])
      yield* socket.named("sluice.live")
      socket.breakWhen()
      yield* Effect.exit(connections.watch(token(socket), [watch(s2)]))
      yield* settled
      assert.isTrue(socket.isDestroyed)
      assert.deepEqual([connections.size(), sessions.find(s2)?.watchers.size], [0, 0])
    }).pipe(Effect.provide(layer()))
  )
})
