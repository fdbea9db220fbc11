import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Metric, TestClock } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import * as SessionRegistry from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import { StoreWriter } from "../../src/store/StoreWriter.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import * as BatchFixture from "../../src/testing/BatchFixture.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { CapturedLog } from "../session/CapturedLog.ts"
import { events, layer, s1, s2, send } from "../session/SessionRooms.ts"
import * as TestWatcher from "../session/TestWatcher.ts"
import { settled } from "./StoreWriterTurn.ts"

const rooms = Effect.all({
  faulty: FaultyStore.FaultyStore,
  log: CapturedLog,
  registry: SessionRegistry.SessionRegistry,
  store: EventStore,
  writer: StoreWriter
})

/** How much a counter of the whole process grew since. */
const grown = (counter: Metric.Metric.Counter<number>) =>
  Effect.map(Metric.value(counter), ({ count: before }) =>
    Effect.map(Metric.value(counter), ({ count }) => count - before)
  )

const watched = (session: SessionId) =>
  Effect.gen(function* () {
    const { registry } = yield* rooms
    const watcher = TestWatcher.make()
    const actor = yield* registry.start(session)
    actor.watch(watcher)
    return watcher
  })

describe("StoreWriter, when the store does not do as it should,", () => {
  it.effect("tries again every 25 ms while another process holds the lock, and then answers and publishes", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const watcher = yield* watched(s1)
      faulty.next("commit", FaultyStore.fails("Busy"), { times: 3 })
      const append = yield* send(registry, s1, events("a"))
      yield* settled
      assert.deepEqual([faulty.calls("commit").length, append.isAnswered(), watcher.seqs()], [2, false, []])
      yield* TestClock.adjust("25 millis")
      yield* settled
      assert.deepEqual([faulty.calls("commit").length, append.isAnswered(), watcher.seqs()], [3, false, []])
      yield* TestClock.adjust("25 millis")
      assert.equal((yield* append.answer).last, 1)
      yield* settled
      assert.deepEqual(watcher.seqs(), [1])
    }).pipe(Effect.provide(layer()))
  )

  // promise 1
  it.effect("gives up after 5 s of a lock: all fail, nothing was published, and the next append works", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      const watcher = yield* watched(s1)
      faulty.next("commit", FaultyStore.fails("Busy"), { times: Number.POSITIVE_INFINITY })
      const appends = yield* Effect.forEach([s1, s2, s1], (session) => send(registry, session, events("a")))
      yield* settled
      yield* TestClock.adjust("4999 millis")
      yield* settled
      assert.deepEqual(
        appends.map(({ isAnswered }) => isAnswered()),
        [false, false, false]
      )
      yield* TestClock.adjust("1 millis")
      for (const { answer } of appends) {
        const error = yield* Effect.flip(answer)
        assert.isTrue(error._tag === "StoreError" && error.reason === "Busy")
      }
      yield* settled
      assert.deepEqual([watcher.seqs(), (yield* store.load(s1))._tag], [[], "None"])
      faulty.heal()
      assert.equal((yield* registry.append(s1, { events: events("b") })).first, 1)
    }).pipe(Effect.provide(layer()))
  )

  // promise 8
  for (const reason of ["Full", "Unavailable", "Corrupt"] as const) {
    it.effect(
      `fails all appends of a commit that is ${reason}, shows none of them, and works again with the store (S69)`,
      () =>
        Effect.gen(function* () {
          const { faulty, registry } = yield* rooms
          const errors = yield* grown(Metrics.storeErrors)
          const watcher = yield* watched(s1)
          faulty.next("commit", FaultyStore.fails(reason))
          const expectation = { epoch: undefined, seq: 9 }
          const failing = [
            yield* send(registry, s1, events("a")),
            yield* send(registry, s2, events("b")),
            yield* send(registry, s1, events("c"), expectation)
          ]
          for (const { answer } of failing) {
            const error = yield* Effect.flip(answer)
            assert.isTrue(error._tag === "StoreError" && error.reason === reason)
          }
          assert.deepEqual([faulty.calls("commit").length, yield* errors], [1, 1])
          assert.deepEqual(
            [
              yield* registry.append(s1, { events: events("d") }),
              yield* registry.append(s2, { events: events("e") })
            ].map(({ first }) => first),
            [1, 1]
          )
          yield* settled
          assert.deepEqual([watcher.seqs(), watcher.heard], [[1], []])
        }).pipe(Effect.provide(layer()))
    )
  }

  // promise 6
  it.effect("lets a session whose batch the store dies of fail alone, its neighbours of the turn are committed", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      const sessions = ["a", "poison", "b", "c"].map((id) => SessionId.make(id))
      const watchers = yield* Effect.forEach(sessions, watched)
      const poisonous = ({ sessions }: FaultyStore.Call) => sessions.some((session) => session === "poison")
      faulty.next("commit", FaultyStore.dies(new Error("boom")), { times: 9, when: poisonous })
      const appends = yield* Effect.forEach(sessions, (session) => send(registry, session, events("x", "y")))
      const answers = yield* Effect.forEach(appends, ({ answer }) => Effect.either(answer))
      assert.deepEqual(
        answers.map((answer) => (answer._tag === "Right" ? answer.right.last : answer.left._tag)),
        [2, "SessionInterrupted", 2, 2]
      )
      yield* settled
      assert.deepEqual(
        watchers.map(({ seqs }) => seqs()),
        [[1, 2], [], [1, 2], [1, 2]]
      )
      assert.equal((yield* store.load(SessionId.make("poison")))._tag, "None")

      // And the poisoned one works again, from what the store knows.
      faulty.heal()
      assert.equal((yield* registry.append(SessionId.make("poison"), { events: events("x") })).first, 1)
    }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect("contains a source that throws in any of its steps: its neighbour hears everything", () =>
    Effect.gen(function* () {
      const { store, writer } = yield* rooms
      const heard: Array<string> = []
      const source = (name: string, throwsIn?: string) => {
        const step = (what: string) => {
          if (what === throwsIn) throw new Error(what)
          heard.push(`${name} ${what}`)
        }
        return {
          prepare: () => {
            step("prepare")
            return [BatchFixture.ofNumbers(name, 1, 1)]
          },
          committed: () => step("committed"),
          publish: () => step("publish"),
          failed: () => step("failed"),
          died: (cause: Cause.Cause<never>) => {
            heard.push(`${name} died of ${Cause.pretty(cause).split("\n")[0]}`)
          }
        }
      }
      for (const [index, at] of ["prepare", "committed", "publish"].entries()) {
        heard.length = 0
        writer.request(source(`bad-${index}`, at))
        writer.request(source(`good-${index}`))
        yield* settled
        const own = heard.filter((line) => line.startsWith("good"))
        assert.deepEqual(own, [`good-${index} prepare`, `good-${index} committed`, `good-${index} publish`])
        assert.include(heard, `bad-${index} died of Error: ${at}`)
        assert.equal((yield* store.load(SessionId.make(`good-${index}`)))._tag, "Some")
      }
    }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect("goes on after a task that dies, and after a death that no source caused", () =>
    Effect.gen(function* () {
      const { registry, writer } = yield* rooms
      const dead = yield* Effect.fork(Effect.exit(writer.run(Effect.die("boom"))))
      yield* Fiber.join(dead)
      assert.equal((yield* registry.append(s1, { events: events("a") })).first, 1)
      const died = yield* grown(Metrics.writerFailures)
      writer.request({
        prepare: () => [],
        committed: () => {
          throw new Error("first")
        },
        publish: () => {},
        failed: () => {},
        died: () => {
          throw new Error("also when it hears of its death")
        }
      })
      yield* settled
      assert.equal(yield* died, 1)
      assert.equal((yield* registry.append(s1, { events: events("b") })).first, 2)
      const { log } = yield* rooms
      assert.isTrue(
        log.some(({ level, text }) => level === "ERROR" && text.includes("also when it hears of its death"))
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("counts every commit that the store refused for good, a lock that never went too", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const errors = yield* grown(Metrics.storeErrors)
      faulty.next("commit", FaultyStore.fails("Busy"), { times: Number.POSITIVE_INFINITY })
      const append = yield* send(registry, s1, events("a"))
      yield* settled
      yield* TestClock.adjust("5 seconds")
      yield* Effect.flip(append.answer)
      assert.equal(yield* errors, 1)
    }).pipe(Effect.provide(layer()))
  )
})
