import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Option } from "effect"
import { MessageConflict, Overloaded, SessionEnded, StoreError } from "../../../src/domain/SessionError.ts"
import * as FaultyStore from "../../../src/testing/FaultyStore.ts"
import * as TestProcess from "../../../src/testing/TestProcess.ts"
import { settled } from "../../store/StoreWriterTurn.ts"
import { layer, log, logWith, message, rooms } from "../ProcessRooms.ts"
import { events, s1 } from "../SessionRooms.ts"

describe("a message to a session", () => {
  it.effect("is an event of its log and a receipt, before a process has heard of it", () =>
    Effect.gen(function* () {
      const { faulty, messages, processes, store } = yield* rooms
      const child = yield* TestProcess.make()
      yield* processes.attach(s1, child.process)
      yield* logWith(s1, "ACTIVE")
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const asked = yield* Effect.fork(messages.accept(s1, message("m1", { text: "hi" })))
      yield* commit.reached
      yield* settled
      assert.deepEqual(child.heard, ["start"])
      yield* commit.release
      assert.deepEqual(yield* asked, { id: "m1", session: s1, seq: 5, isNew: true })
      yield* child.hears("send m1")
      assert.deepEqual(child.messages, [{ id: "m1", data: { text: "hi" }, from: null }])
      const [event] = yield* store.readEvents(s1, { after: 4, before: 6, limit: 1, order: "asc" })
      assert.deepEqual(event && [event.name, JSON.parse(event.data)], [
        "sluice.message",
        { id: "m1", data: { text: "hi" }, from: null }
      ])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is one message and one receipt, asked twice, 20 times at once or with the process gone (S104)", () =>
    Effect.gen(function* () {
      const { messages, processes } = yield* rooms
      const child = yield* TestProcess.make()
      yield* processes.attach(s1, child.process)
      yield* logWith(s1, "ACTIVE")
      const ask = messages.accept(s1, message("m1"))
      const asked = yield* Effect.all(
        Array.from({ length: 20 }, () => ask),
        { concurrency: "unbounded" }
      )
      assert.deepEqual(new Set(asked.map(({ seq }) => seq)), new Set([5]))
      assert.equal(asked.filter(({ isNew }) => isNew).length, 1)
      yield* child.hears("send m1")
      assert.equal((yield* ask).seq, 5)
      yield* child.end()
      assert.equal((yield* logWith(s1, "ENDED")).filter((line) => line === "message m1").length, 1)
      assert.deepEqual((yield* ask).seq, 5) // its session has ended: the answer is the same
      assert.equal(child.heard.filter((what) => what === "send m1").length, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("with another content under its id is a conflict, and nothing changes (S104)", () =>
    Effect.gen(function* () {
      const { messages } = yield* rooms
      yield* messages.accept(s1, message("m1", "a"))
      assert.instanceOf(yield* Effect.flip(messages.accept(s1, message("m1", "b"))), MessageConflict)
      assert.deepEqual(yield* log(s1), ["message m1"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that the store refuses is not accepted and not dispatched; the next try is (S104)", () =>
    Effect.gen(function* () {
      const { faulty, messages, processes } = yield* rooms
      const child = yield* TestProcess.make()
      yield* processes.attach(s1, child.process)
      yield* logWith(s1, "ACTIVE")
      faulty.next("commit", FaultyStore.fails("Unavailable"))
      assert.instanceOf(yield* Effect.flip(messages.accept(s1, message("m1"))), StoreError)
      yield* settled
      assert.deepEqual(child.heard, ["start"])
      yield* messages.accept(s1, message("m1"))
      yield* child.hears("send m1")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("waits for a process where there is none, in the order of the log", () =>
    Effect.gen(function* () {
      const { messages, processes } = yield* rooms
      for (const id of ["m1", "m2", "m3"]) yield* messages.accept(s1, message(id))
      const child = yield* TestProcess.make()
      yield* processes.attach(s1, child.process)
      yield* messages.accept(s1, message("m4"))
      yield* child.hears("send m4")
      assert.deepEqual(
        child.messages.map(({ id }) => id),
        ["m1", "m2", "m3", "m4"]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("waits for the one before it, and a process that is slow to take it loses none", () =>
    Effect.gen(function* () {
      const { messages, processes } = yield* rooms
      const takes = yield* Deferred.make<void>()
      const child = yield* TestProcess.make({ send: ({ id }) => (id === "m1" ? Deferred.await(takes) : Effect.void) })
      yield* processes.attach(s1, child.process)
      yield* messages.accept(s1, message("m1"))
      yield* messages.accept(s1, message("m2"))
      yield* child.hears("send m1")
      yield* settled
      assert.notInclude(child.heard, "send m2")
      yield* Deferred.succeed(takes, undefined)
      yield* child.hears("send m2")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that the process does not take is told, and the next one goes", () =>
    Effect.gen(function* () {
      const { messages, processes, store } = yield* rooms
      const child = yield* TestProcess.make({
        send: ({ id }) => (id === "m1" ? Effect.die(new TypeError("bad words")) : Effect.void)
      })
      yield* processes.attach(s1, child.process)
      yield* logWith(s1, "ACTIVE")
      yield* messages.accept(s1, message("m1"))
      yield* messages.accept(s1, message("m2"))
      yield* child.hears("send m2")
      assert.deepEqual((yield* log(s1)).slice(4), ["message m1", "message m2", "message_failed m1: bad words"])
      yield* settled
      assert.deepEqual(
        Option.map(yield* store.message(s1, "m1"), ({ stage }) => stage),
        Option.some("done")
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that no process will take any more is told when its session ends: none is lost in silence", () =>
    Effect.gen(function* () {
      const { messages, processes } = yield* rooms
      const child = yield* TestProcess.make({ send: () => Effect.never })
      yield* processes.attach(s1, child.process)
      yield* logWith(s1, "ACTIVE")
      yield* messages.accept(s1, message("m1"))
      yield* messages.accept(s1, message("m2"))
      yield* child.hears("send m1")
      yield* child.end()
      const lines = (yield* logWith(s1, "ENDED")).slice(6)
      assert.deepEqual(lines, [
        "message_unknown m1: it is not known whether the process took it: please check, it is not sent again",
        "message_failed m2: the process ended before it took the message",
        "exited",
        "CLOSING (exited)",
        "ENDED (exited)"
      ])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("to a session that was suspended or detached makes it ACTIVE; to one that has ended is refused", () =>
    Effect.gen(function* () {
      const { messages, sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      for (const state of ["STARTING", "ACTIVE", "SUSPENDED"] as const) yield* sessions.move(s1, state)
      yield* messages.accept(s1, message("m1"))
      assert.deepEqual((yield* log(s1)).slice(-2), ["ACTIVE (message)", "message m1"])
      yield* sessions.move(s1, "DETACHED")
      yield* messages.accept(s1, message("m2"))
      assert.equal((yield* sessions.get(s1)).state, "ACTIVE")
      yield* sessions.move(s1, "CLOSING")
      yield* messages.accept(s1, message("m3"))
      yield* sessions.move(s1, "ENDED")
      assert.instanceOf(yield* Effect.flip(messages.accept(s1, message("m4"))), SessionEnded)
    }).pipe(Effect.provide(layer()))
  )

  for (const way of [["ENDED"], ["CLOSING", "ENDED"]] as const) {
    it.effect(
      `that waits when its session is moved to ${way.join(" and ")} is told as failed: none is lost in silence`,
      () =>
        Effect.gen(function* () {
          const { messages, sessions, store } = yield* rooms
          for (const id of ["m1", "m2"]) yield* messages.accept(s1, message(id))
          for (const state of way) yield* sessions.move(s1, state, "operator")
          const lines = (yield* log(s1)).filter((line) => !line.startsWith("CLOSING"))
          assert.deepEqual(lines.slice(2), [
            "message_failed m1: the session was ended",
            "message_failed m2: the session was ended",
            "ENDED (operator)"
          ])
          assert.deepEqual(yield* store.openMessages(s1, 10), [])
          yield* sessions.move(s1, "ENDED") // again: nothing
          assert.equal((yield* log(s1)).length, 4 + way.length)
        }).pipe(Effect.provide(layer()))
    )
  }

  it.effect("that comes while its session is ended is either refused or told: none is lost in silence", () =>
    Effect.gen(function* () {
      const { faulty, messages, sessions, store } = yield* rooms
      yield* messages.accept(s1, message("m1"))
      const looked = yield* FaultyStore.holdsAnswer
      faulty.next("openMessages", looked)
      const ending = yield* Effect.fork(sessions.move(s1, "ENDED"))
      yield* looked.reached
      yield* messages.accept(s1, message("m2"))
      yield* looked.release
      yield* ending
      assert.deepEqual((yield* log(s1)).slice(2, 4), [
        "message_failed m1: the session was ended",
        "message_failed m2: the session was ended"
      ])
      assert.deepEqual(yield* store.openMessages(s1, 10), [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("counts against the bound while it is on its way: 1,400 at once are not 1,400", () =>
    Effect.gen(function* () {
      const { messages } = yield* rooms
      const asked = yield* Effect.all(
        Array.from({ length: 1400 }, (_, index) => Effect.either(messages.accept(s1, message(`m${index}`)))),
        { concurrency: "unbounded" }
      )
      const taken = asked.filter(Either.isRight).length
      assert.isAtMost(taken, 1000)
      const refused = asked.find(Either.isLeft)
      assert.deepEqual(refused?.left, new Overloaded({ what: "queue of messages" }))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is refused above the bound of those that wait, and taken again when some were dispatched", () =>
    Effect.gen(function* () {
      const { messages, processes, store } = yield* rooms
      const big = "x".repeat(1024 * 1024 - 2) // its JSON text has two more
      for (let count = 0; count < 8; count++) yield* messages.accept(s1, message(`big${count}`, big))
      const refused = yield* Effect.flip(messages.accept(s1, message("one more")))
      assert.deepEqual(refused, new Overloaded({ what: "queue of messages" }))
      const child = yield* TestProcess.make()
      yield* processes.attach(s1, child.process)
      yield* child.hears("send big7")
      while ((yield* store.backlog(s1)).messages > 0) yield* settled
      yield* messages.accept(s1, message("one more"))
      yield* child.hears("send one more")
    }).pipe(Effect.provide(layer()))
  )
})
