import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Metric, TestClock } from "effect"
import { SessionId, type SessionState } from "../../src/domain/Session.ts"
import * as PeriodicSync from "../../src/session/PeriodicSync.ts"
import type { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { events, numbers, s1 } from "../session/SessionRooms.ts"
import * as TestWatcher from "../session/TestWatcher.ts"
import { settled, settledUntil } from "../store/StoreWriterTurn.ts"
import { fromTo, layer, open, rooms, seqs } from "./ConnectionRooms.ts"

type Sessions = typeof SessionRegistry.Service

/** The way to each state that a session can be watched in. */
const ways: Readonly<Record<Exclude<SessionState, "ENDED">, ReadonlyArray<SessionState>>> = {
  CREATED: [],
  STARTING: ["STARTING"],
  ACTIVE: ["STARTING", "ACTIVE"],
  SUSPENDED: ["STARTING", "ACTIVE", "SUSPENDED"],
  DETACHED: ["STARTING", "ACTIVE", "DETACHED"],
  CLOSING: ["STARTING", "ACTIVE", "CLOSING"]
}

const into = (sessions: Sessions, session: SessionId, state: keyof typeof ways) =>
  Effect.zipRight(
    sessions.append(session, { events: numbers(1, 1) }),
    Effect.forEach(ways[state], (step) => sessions.move(session, step), { discard: true })
  )

/** From now on the fan-out to those who watch the session is lost: they are not told of what is committed. */
const deafen = (sessions: Sessions, session: SessionId): (() => void) => {
  const watchers = Array.from(sessions.find(session)?.watchers ?? [])
  for (const watcher of watchers) Object.defineProperty(watcher, "offer", { value: () => {}, configurable: true })
  return () => {
    for (const watcher of watchers) Reflect.deleteProperty(watcher, "offer")
  }
}

describe("the periodic sync", () => {
  it.effect("brings a live watch that lost its wake-up to the log within 5 seconds, in order (S86)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* into(sessions, s1, "ACTIVE")
      const client = open(connections, s1)
      yield* settled
      const hear = deafen(sessions, s1)
      yield* sessions.append(s1, { events: numbers(4, 3) })
      hear()
      yield* TestClock.adjust("4999 millis")
      yield* settled
      assert.deepEqual(seqs(client), [])
      yield* TestClock.adjust("1 millis")
      yield* settledUntil(() => seqs(client).length === 3)
      assert.deepEqual(seqs(client), [4, 5, 6])
      yield* sessions.append(s1, { events: events("live again") })
      yield* settledUntil(() => seqs(client).length === 4)
      assert.deepEqual(seqs(client), [4, 5, 6, 7])
    }).pipe(Effect.provide(layer()))
  )

  for (const state of Object.keys(ways) as ReadonlyArray<keyof typeof ways>) {
    const isSynced = ["CREATED", "STARTING", "ACTIVE"].includes(state)
    it.effect(`${isSynced ? "looks after" : "reads nothing for"} a watch that is behind in ${state} (S87)`, () =>
      Effect.gen(function* () {
        const { connections, faulty, sessions } = yield* rooms
        yield* into(sessions, s1, state)
        const head = sessions.find(s1)?.head ?? 0
        const client = open(connections, s1)
        yield* settled
        deafen(sessions, s1)
        yield* sessions.append(s1, { events: events("missed") })
        const reads = () => faulty.calls("readPage").length
        const before = reads()
        yield* TestClock.adjust("10 seconds")
        yield* settled
        assert.deepEqual(seqs(client), isSynced ? [head + 1] : [])
        if (!isSynced) assert.equal(reads(), before)
      }).pipe(Effect.provide(layer()))
    )
  }

  it.effect("looks after a session again that was away meanwhile: the stored state alone decides (S87)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* into(sessions, s1, "SUSPENDED")
      const client = open(connections, s1)
      yield* settled
      deafen(sessions, s1)
      yield* sessions.append(s1, { events: events("missed") })
      yield* TestClock.adjust("20 seconds")
      yield* settled
      assert.deepEqual(seqs(client), [])
      yield* sessions.move(s1, "ACTIVE")
      yield* TestClock.adjust("5 seconds")
      yield* settledUntil(() => client.received.includes("sluice.state"))
      assert.include(client.received, "missed")
      assert.include(client.received, '"state":"ACTIVE"')
    }).pipe(Effect.provide(layer()))
  )

  it.effect("costs a watch at the head nothing, and ten thousand ended sessions nothing: no read, no look (S86)", () =>
    Effect.gen(function* () {
      const { connections, faulty, sessions } = yield* rooms
      const ids = Array.from({ length: 10_000 }, (_, index) => SessionId.make(`ended-${index}`))
      yield* Effect.forEach(
        ids,
        (id) => Effect.zipRight(sessions.append(id, { events: events("1") }), sessions.move(id, "ENDED")),
        { concurrency: 500, discard: true }
      )
      yield* into(sessions, s1, "ACTIVE")
      const client = open(connections, s1)
      yield* sessions.append(s1, { events: events("seen") })
      yield* settledUntil(() => seqs(client).length === 1)
      const before = faulty.calls("readPage").length + faulty.calls("readEvents").length + faulty.calls("load").length
      const counted = yield* Metric.value(Metrics.synced)
      yield* TestClock.adjust("15 seconds")
      yield* settled
      const after = faulty.calls("readPage").length + faulty.calls("readEvents").length + faulty.calls("load").length
      assert.equal(after, before)
      assert.deepEqual(yield* Metric.value(Metrics.synced), counted)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("tries again when the store does not answer, and counts and logs it (S86)", () =>
    Effect.gen(function* () {
      const { connections, faulty, log, sessions } = yield* rooms
      yield* into(sessions, s1, "ACTIVE")
      const client = open(connections, s1)
      yield* settled
      deafen(sessions, s1)
      yield* sessions.append(s1, { events: events("missed") })
      faulty.next("readPage", FaultyStore.fails("Unavailable"), { times: 2 })
      yield* TestClock.adjust("5 seconds")
      yield* settled
      assert.deepEqual(seqs(client), [])
      assert.isTrue(log.some(({ text }) => text.includes("a page of the log could not be read")))
      yield* TestClock.adjust("5 seconds")
      yield* settledUntil(() => seqs(client).length === 1)
      assert.deepEqual(seqs(client), [4])
    }).pipe(Effect.provide(layer()))
  )

  for (const [when, wait] of [
    ["before the first tick", "1 seconds"],
    ["at a tick", "5 seconds"],
    ["after many ticks", "61 seconds"]
  ] as const) {
    it.effect(`leaves the watch of an unknown session alone; created ${when}, it begins with event 1 (S88)`, () =>
      Effect.gen(function* () {
        const { connections, log, sessions } = yield* rooms
        const client = open(connections, s1)
        yield* settled
        yield* TestClock.adjust(wait)
        yield* sessions.append(s1, { events: numbers(1, 2) })
        yield* settledUntil(() => seqs(client).length === 2)
        assert.deepEqual([seqs(client), log], [fromTo(1, 2), []])
      }).pipe(Effect.provide(layer()))
    )
  }
})

describe("the ticks of the periodic sync", () => {
  it.scoped(
    "begin with a commit that is watched, and end when nobody is behind, or looked after: none comes in vain",
    () =>
      Effect.gen(function* () {
        const { sessions } = yield* rooms
        yield* into(sessions, s1, "ACTIVE")
        const actor = yield* sessions.start(s1)
        let ticks = 0
        let isBehind = true
        const sync = () => {
          ticks += 1
          return isBehind
        }
        actor.watch({ ...TestWatcher.make(), sync })
        const ticking = yield* PeriodicSync.make(Duration.seconds(5))
        yield* TestClock.adjust("1 minute")
        assert.equal(ticks, 0)
        ticking.advanced(actor)
        ticking.advanced(actor)
        yield* TestClock.adjust("14 seconds")
        assert.equal(ticks, 2)
        isBehind = false
        yield* TestClock.adjust("1 minute")
        assert.equal(ticks, 3)
        const now = yield* TestClock.currentTimeMillis
        const left = Array.from(yield* TestClock.sleeps()).filter((at) => at > now && at <= now + 5000)
        assert.deepEqual(left, [])
        ticking.advanced(actor)
        yield* TestClock.adjust("5 seconds")
        assert.equal(ticks, 4)
        isBehind = true
        actor.state = "SUSPENDED"
        ticking.advanced(actor)
        yield* TestClock.adjust("1 minute")
        assert.equal(ticks, 5)
      }).pipe(Effect.provide(layer()))
  )
})

describe("a session that ends", () => {
  it.effect(
    "gives all of it also to a watch that lost its wake-up: the end comes last, and no tick is waited for (S87, S89)",
    () =>
      Effect.gen(function* () {
        const { connections, sessions } = yield* rooms
        yield* into(sessions, s1, "ACTIVE")
        const client = open(connections, s1)
        yield* settled
        deafen(sessions, s1)
        yield* sessions.append(s1, { events: events("missed") })
        for (const state of ["CLOSING", "ENDED"] as const) yield* sessions.move(s1, state)
        yield* settledUntil(() => client.isEnded)
        assert.deepEqual(seqs(client), [4])
        assert.match(
          client.received,
          /missed[\s\S]*"state":"CLOSING"[\s\S]*"state":"ENDED"[\s\S]*event: sluice\.end\n[^\n]*\n\n$/
        )
      }).pipe(Effect.provide(layer()))
  )

  it.effect("gives each watcher all of it and sluice.end last, also one that reads slowly from the log (S89)", () =>
    Effect.gen(function* () {
      const { connections, sessions } = yield* rooms
      yield* into(sessions, s1, "ACTIVE")
      const live = open(connections, s1)
      const slow = open(connections, s1)
      slow.pause()
      yield* settled
      for (let batch = 0; batch < 300; batch++) yield* sessions.append(s1, { events: events("x".repeat(500)) })
      yield* sessions.move(s1, "CLOSING")
      yield* sessions.move(s1, "ENDED")
      yield* settledUntil(() => live.isEnded)
      assert.deepEqual(
        seqs(live),
        fromTo(4, 305).filter((seq) => seq <= 303)
      )
      assert.match(live.received, /"state":"ENDED"[^\n]*\n\nevent: sluice\.end\ndata: [^\n]*"reason":"ended"}\n\n$/)
      assert.isFalse(slow.isEnded)
      slow.resume()
      yield* settledUntil(() => slow.isEnded)
      assert.deepEqual(seqs(slow), fromTo(4, 303))
      assert.match(slow.received, /"state":"ENDED"[^\n]*\n\nevent: sluice\.end\n[^\n]*\n\n$/)
    }).pipe(Effect.provide(layer()))
  )
})
