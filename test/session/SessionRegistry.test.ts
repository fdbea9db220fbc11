import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope, TestClock } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { events, layer, numbers, s1, s2, send } from "./SessionRooms.ts"
import * as TestWatcher from "./TestWatcher.ts"

const rooms = Effect.all({ faulty: FaultyStore.FaultyStore, registry: SessionRegistry, store: EventStore })
const unknown = SessionId.make("unknown")

describe("SessionRegistry", () => {
  it.effect("has one actor per session, however many start it at once", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const load = yield* FaultyStore.holds
      faulty.next("load", load, { times: 3 })
      const starting = yield* Effect.fork(
        Effect.all([registry.start(s1), registry.start(s1), registry.start(s1)], { concurrency: 3 })
      )
      yield* load.reached
      yield* load.release
      const actors = yield* starting
      assert.equal(new Set(actors).size, 1)
      assert.deepEqual([registry.size(), registry.find(s1)], [1, actors[0]])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("has an actor that waits for a session that the store does not know (S88)", () =>
    Effect.gen(function* () {
      const { registry, store } = yield* rooms
      const actor = yield* registry.start(unknown)
      assert.deepEqual(actor.log, { epoch: undefined, oldest: 1, head: 0 })
      const watcher = TestWatcher.make()
      actor.watch(watcher)
      assert.equal((yield* store.load(unknown))._tag, "None")
      const { epoch } = yield* registry.append(unknown, { events: events("1") })
      yield* settled
      assert.deepEqual([watcher.seqs(), actor.log], [[1], { epoch, oldest: 1, head: 1 }])
    }).pipe(Effect.provide(layer()))
  )

  // promises 6 and 8
  it.effect("refuses events that cannot be published, with a type, and no neighbour suffers", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const named = (name: string) => [{ name, data: "x" }]
      const [neighbour, ...refused] = yield* Effect.all(
        [
          registry.append(s1, { events: events("1") }),
          Effect.flip(registry.append(s1, { events: [] })),
          Effect.flip(registry.append(s1, { events: named("a\nb") })),
          Effect.flip(registry.append(s1, { events: named("sluice.end") })),
          Effect.flip(registry.append(s1, { events: named("") })),
          Effect.flip(registry.append(s1, { events: [...events("ok"), ...named("x".repeat(257))] }))
        ],
        { concurrency: "unbounded" }
      )
      assert.deepEqual(
        refused.map((error) => error._tag === "InvalidRequest" && error.field),
        ["events", "events[0].name", "events[0].name", "events[0].name", "events[1].name"]
      )
      assert.deepInclude(neighbour, { first: 1, last: 1 })
      assert.deepInclude(yield* registry.get(s1), { head: 1 })
    }).pipe(Effect.provide(layer()))
  )

  // promise 3
  it.effect("bounds what waits for an actor that starts, in appends and in bytes", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const load = yield* FaultyStore.holds
      faulty.next("load", load)
      const large = "x".repeat(300)
      const waiting = yield* Effect.all(Array.from({ length: 5 }, () => send(registry, s1, events(large))))
      yield* load.reached
      const refused = yield* Effect.flip((yield* send(registry, s1, events(large))).answer)
      assert.equal(refused._tag, "Overloaded")
      assert.deepEqual(
        waiting.map(({ isAnswered }) => isAnswered()),
        [false, false, true, true, true]
      )
      yield* load.release
      assert.deepEqual((yield* waiting[0]?.answer ?? Effect.never).head, 2)
    }).pipe(Effect.provide(layer({ session: { maxBytes: 1000 } })))
  )

  // promise 3
  it.effect("puts an actor to sleep after a minute without watcher and traffic; it wakes where it was", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const { epoch } = yield* registry.append(s1, { events: events("1") })
      yield* TestClock.adjust("59 seconds")
      assert.isDefined(registry.find(s1))
      yield* TestClock.adjust("61 seconds")
      assert.deepEqual([registry.find(s1), registry.size()], [undefined, 0])
      assert.deepInclude(yield* registry.append(s1, { events: events("2") }), { epoch, first: 2, head: 2 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("does not let an actor sleep that is watched, or has an append in hand", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const watcher = TestWatcher.make()
      const watched = yield* registry.start(s1)
      watched.watch(watcher)
      yield* registry.start(s2)
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const append = yield* send(registry, s2, events("1"))
      yield* commit.reached
      yield* TestClock.adjust("5 minutes")
      assert.deepEqual([registry.find(s1), registry.size()], [watched, 2])
      yield* commit.release
      yield* append.answer
      watched.unwatch(watcher)
      yield* TestClock.adjust("5 minutes")
      assert.equal(registry.size(), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("counts the minute from the moment at which the last watcher left", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const watcher = TestWatcher.make()
      const actor = yield* registry.start(s1)
      actor.watch(watcher)
      yield* TestClock.adjust("119 seconds")
      actor.unwatch(watcher)
      yield* TestClock.adjust("2 seconds")
      assert.equal(registry.find(s1), actor)
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("deletes a log: its watchers hear the end, and the next append begins another epoch at 1 (S68)", () =>
    Effect.gen(function* () {
      const { registry, store } = yield* rooms
      const { epoch } = yield* registry.append(s1, { events: numbers(1, 3) })
      const watcher = TestWatcher.make()
      const actor = yield* registry.start(s1)
      actor.watch(watcher)
      yield* registry.remove(s1)
      assert.deepEqual([watcher.heard, actor.watchers.size], [["ended: deleted"], 0])
      assert.equal((yield* Effect.flip(registry.get(s1)))._tag, "SessionNotFound")
      assert.equal((yield* store.load(s1))._tag, "None")

      const anew = yield* registry.append(s1, { events: events("new") })
      assert.deepInclude(anew, { first: 1, head: 1 })
      assert.notEqual(anew.epoch, epoch)
      yield* settled
      assert.deepEqual(watcher.seqs(), [])
      const read = { after: 0, before: 99, limit: 99, order: "asc" } as const
      assert.deepEqual(
        (yield* registry.history(s1, read)).events.map(({ data }) => data),
        ["new"]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect(
    "begins a log anew that is deleted while its actor starts: what the store said of it is of another log",
    () =>
      Effect.gen(function* () {
        const { faulty, registry } = yield* rooms
        const { epoch } = yield* registry.append(s1, { events: events("1", "2") })
        yield* TestClock.adjust("2 minutes")
        assert.equal(registry.find(s1), undefined)
        const load = yield* FaultyStore.holdsAnswer
        faulty.next("load", load)
        const append = yield* send(registry, s1, events("new"))
        yield* load.reached
        yield* registry.remove(s1)
        yield* load.release
        const answer = yield* append.answer
        assert.deepInclude(answer, { first: 1, last: 1, head: 1 })
        assert.notEqual(answer.epoch, epoch)
      }).pipe(Effect.provide(layer()))
  )

  it.effect("deletes a session that sleeps, and does not know one that never was", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      yield* TestClock.adjust("2 minutes")
      yield* registry.remove(s1)
      assert.equal((yield* Effect.flip(registry.remove(s1)))._tag, "SessionNotFound")
      assert.equal((yield* Effect.flip(registry.remove(unknown)))._tag, "SessionNotFound")
      yield* registry.start(unknown)
      assert.equal((yield* Effect.flip(registry.remove(unknown)))._tag, "SessionNotFound")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("lets appends that come with a delete go to the log before it or to the one after it, whole", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const before = yield* send(registry, s1, events("2"))
      yield* commit.reached
      const removing = yield* Effect.fork(registry.remove(s1))
      const after = yield* send(registry, s1, events("a", "b"))
      yield* settled
      yield* commit.release
      yield* removing
      const [old, anew] = [yield* before.answer, yield* after.answer]
      assert.deepEqual([old.first, anew.first, anew.last], [2, 1, 2])
      assert.notEqual(old.epoch, anew.epoch)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("changes nothing when the store refuses to delete", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const watcher = TestWatcher.make()
      registry.find(s1)?.watch(watcher)
      faulty.next("remove", FaultyStore.fails("Unavailable"))
      assert.equal((yield* Effect.flip(registry.remove(s1)))._tag, "StoreError")
      assert.equal((yield* registry.append(s1, { events: events("2") })).first, 2)
      assert.deepEqual(watcher.heard, [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("pages through a history and keeps both bounds out (S66)", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      yield* registry.append(s1, { events: numbers(1, 250) })
      const page = (range: { after: number; before: number; limit: number; order: "asc" | "desc" }) =>
        Effect.map(registry.history(s1, range), ({ events, record }) => {
          assert.deepInclude(record, { session: s1, oldest: 1, head: 250 })
          return [events.length, events[0]?.data, events.at(-1)?.data] as const
        })
      assert.deepEqual(yield* page({ after: 0, before: 1e9, limit: 100, order: "asc" }), [100, "1", "100"])
      assert.deepEqual(yield* page({ after: 200, before: 1e9, limit: 100, order: "asc" }), [50, "201", "250"])
      assert.deepEqual(yield* page({ after: 10, before: 12, limit: 100, order: "asc" }), [1, "11", "11"])
      assert.deepEqual(yield* page({ after: 0, before: 250, limit: 3, order: "desc" }), [3, "249", "247"])
      const nobody = registry.history(unknown, { after: 0, before: 9, limit: 9, order: "asc" })
      assert.equal((yield* Effect.flip(nobody))._tag, "SessionNotFound")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("lists sessions with their watchers and times, in pages and by state", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      yield* registry.append(s2, { events: numbers(1, 2) })
      yield* TestClock.adjust("1500 millis")
      yield* registry.append(s1, { events: events("1") })
      yield* TestClock.adjust("1500 millis")
      yield* registry.append(s1, { events: events("2") })
      registry.find(s1)?.watch(TestWatcher.make())
      const found = yield* registry.list({ limit: 10 })
      assert.deepEqual(
        found.map(({ createdAt, head, session, state, updatedAt, watchers }) =>
          [session, state, head, watchers, createdAt.slice(17), updatedAt.slice(17)].join(" ")
        ),
        ["s1 CREATED 2 1 01.500Z 03.000Z", "s2 CREATED 2 0 00.000Z 00.000Z"]
      )
      assert.deepEqual(yield* registry.get(s1), found[0])
      assert.deepEqual(yield* registry.list({ limit: 10, after: "s1" }), found.slice(1))
      assert.deepEqual(yield* registry.list({ limit: 1 }), found.slice(0, 1))
      assert.deepEqual(yield* registry.list({ limit: 10, state: "ENDED" }), [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("answers an append as 'unknown' when it closes while the session's actor still starts", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { faulty, registry } = yield* Effect.provide(rooms, context)
      yield* registry.append(s1, { events: events("1") })
      const load = yield* FaultyStore.holds
      faulty.next("load", load)
      const append = yield* send(registry, s2, events("1"))
      yield* load.reached
      yield* Scope.close(scope, Exit.void)
      yield* settled
      assert.isTrue(append.isAnswered())
      assert.equal((yield* Effect.flip(append.answer))._tag, "SessionInterrupted")
    })
  )
})
