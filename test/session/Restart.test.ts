import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric, TestClock } from "effect"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled, settledUntil } from "../store/StoreWriterTurn.ts"
import { CapturedLog } from "./CapturedLog.ts"
import { events, layer, s1, s2, send } from "./SessionRooms.ts"
import * as TestWatcher from "./TestWatcher.ts"

const rooms = Effect.all({
  faulty: FaultyStore.FaultyStore,
  log: CapturedLog,
  registry: SessionRegistry,
  store: EventStore
})
const all = { after: 0, before: Number.MAX_SAFE_INTEGER, limit: 10_000, order: "asc" } as const
const deaths = Effect.map(Metric.value(Metrics.sessionActorFailures), ({ count }) => count)

describe("a session actor that dies", () => {
  // promise 6
  it.effect("restarts from the store with the same epoch and the next number; others go on (S108)", () =>
    Effect.gen(function* () {
      const { faulty, log, registry } = yield* rooms
      const before = yield* deaths
      const { epoch } = yield* registry.append(s1, { events: events("1", "2") })
      const neighbour = yield* registry.append(s2, { events: events("1") })
      const watcher = TestWatcher.make()
      registry.find(s1)?.watch(watcher)
      faulty.next("commit", FaultyStore.dies(new Error("a bug in the store")))
      assert.equal((yield* Effect.flip(registry.append(s1, { events: events("3") })))._tag, "SessionInterrupted")

      assert.deepInclude(yield* registry.append(s1, { events: events("3") }), { epoch, first: 3, head: 3 })
      yield* settled
      assert.deepEqual([watcher.heard, watcher.seqs()], [["resync"], [3]])
      assert.deepInclude(yield* registry.append(s2, { events: events("2") }), { epoch: neighbour.epoch, first: 2 })
      assert.equal((yield* deaths) - before, 1)
      const told = log.filter(({ text }) => text.includes("a bug in the store"))
      assert.deepEqual(
        told.map(({ level }) => level),
        ["ERROR"]
      )
      assert.include(told[0]?.text, "session=s1")
    }).pipe(Effect.provide(layer()))
  )

  // promises 1 and 2
  it.effect("learns from the store that an append of unknown outcome was stored after all", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      const watcher = TestWatcher.make()
      const actor = yield* registry.start(s1)
      actor.watch(watcher)
      faulty.next("commit", FaultyStore.diesAfter("the answer was lost"))
      yield* Effect.flip(registry.append(s1, { events: events("1") }))
      assert.equal((yield* registry.append(s1, { events: events("2") })).first, 2)
      assert.deepEqual(
        (yield* store.readEvents(s1, all)).map(({ data }) => data),
        ["1", "2"]
      )
      // What it was not offered it reads from the log: that is what `resync` asks for.
      yield* settled
      assert.deepEqual([watcher.heard, watcher.seqs(), actor.head], [["resync"], [2], 2])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps what waits in its mailbox and commits it after the restart, without a second death", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const before = yield* deaths
      const commit = yield* FaultyStore.holds
      faulty.next("commit", {
        on: (call) => Effect.zipRight(commit.on(Effect.void), FaultyStore.dies(new Error("boom")).on(call))
      })
      const inHand = yield* send(registry, s1, events("2"))
      yield* commit.reached
      const waiting = yield* send(registry, s1, events("2 again"))
      yield* commit.release
      assert.equal((yield* Effect.flip(inHand.answer))._tag, "SessionInterrupted")
      assert.deepInclude(yield* waiting.answer, { first: 2, head: 2 })
      assert.equal((yield* deaths) - before, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("commits nothing while it is dead: a slow reload does not take the head back", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const before = yield* deaths
      const commit = yield* FaultyStore.holds
      faulty.next("commit", {
        on: (call) => Effect.zipRight(commit.on(Effect.void), FaultyStore.dies(new Error("boom")).on(call))
      })
      const reload = yield* FaultyStore.holdsAnswer
      faulty.next("load", reload)
      const inHand = yield* send(registry, s1, events("2"))
      yield* commit.reached
      const waiting = yield* send(registry, s1, events("2 again"))
      yield* commit.release
      yield* Effect.flip(inHand.answer)
      yield* reload.reached
      yield* settled
      yield* reload.release
      assert.equal((yield* waiting.answer).first, 2)
      assert.equal((yield* registry.append(s1, { events: events("3") })).first, 3)
      assert.equal((yield* deaths) - before, 1)
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("keeps its head in the turns of others that pass while it is dead", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      yield* registry.start(s2)
      const before = yield* deaths
      const commit = yield* FaultyStore.holds
      faulty.next("commit", {
        on: (call) => Effect.zipRight(commit.on(Effect.void), FaultyStore.dies(new Error("boom")).on(call))
      })
      const reload = yield* FaultyStore.holdsAnswer
      faulty.next("load", reload)
      const inHand = yield* send(registry, s1, events("2"))
      yield* commit.reached
      const waiting = yield* send(registry, s1, events("2 again"))
      const neighbour = yield* send(registry, s2, events("1"))
      const others = yield* FaultyStore.holds
      faulty.next("commit", others)
      yield* commit.release
      yield* others.reached
      yield* reload.release
      yield* settled
      yield* others.release
      yield* neighbour.answer
      assert.equal((yield* Effect.flip(inHand.answer))._tag, "SessionInterrupted")
      assert.deepInclude(yield* waiting.answer, { first: 2, head: 2 })
      assert.equal((yield* deaths) - before, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("restarts at once, then slower, and gives up when it goes on to die: its watchers and producers hear", () =>
    Effect.gen(function* () {
      const { faulty, log, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const before = yield* deaths
      const watcher = TestWatcher.make()
      registry.find(s1)?.watch(watcher)
      const poisonous = ({ sessions }: FaultyStore.Call) => sessions.includes(s1)
      faulty.next("commit", FaultyStore.dies(new Error("boom")), { times: 99, when: poisonous })
      for (let death = 1; death <= 7; death++) {
        yield* Effect.flip(registry.append(s1, { events: events("x") }))
        assert.equal((yield* registry.append(s2, { events: events("x") })).first, death)
        yield* TestClock.adjust("1 second")
      }
      assert.deepEqual([(yield* deaths) - before, registry.find(s1)], [7, undefined])
      assert.deepEqual(watcher.heard.at(-1), "ended: failed")
      assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("does not start again")))

      // A later append starts another actor of the same log.
      faulty.heal()
      assert.equal((yield* registry.append(s1, { events: events("2") })).first, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("has its five tries again after a quiet minute", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const watcher = TestWatcher.make()
      const actor = registry.find(s1)
      actor?.watch(watcher)
      for (let death = 1; death <= 8; death++) {
        faulty.next("commit", FaultyStore.dies(new Error("boom")))
        yield* Effect.flip(registry.append(s1, { events: events("x") }))
        yield* TestClock.adjust("61 seconds")
      }
      assert.equal(registry.find(s1), actor)
      assert.equal((yield* registry.append(s1, { events: events("2") })).first, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("answers what waits as 'unknown' when it gives up because the store cannot be read", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      faulty.next("commit", FaultyStore.dies(new Error("boom")))
      faulty.next("load", FaultyStore.fails("Unavailable"), { times: 99 })
      yield* Effect.flip(registry.append(s1, { events: events("x") }))
      const waiting = yield* send(registry, s1, events("y"))
      yield* settled
      assert.isFalse(waiting.isAnswered())
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* settledUntil(waiting.isAnswered))
      assert.equal((yield* Effect.flip(waiting.answer))._tag, "SessionInterrupted")
      assert.equal(registry.find(s1), undefined)
    }).pipe(Effect.provide(layer()))
  )
})
