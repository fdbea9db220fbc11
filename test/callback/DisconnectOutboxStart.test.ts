import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import type { StoreError } from "../../src/domain/SessionError.ts"
import * as MemoryConnectionJournal from "../../src/store/memory/MemoryConnectionJournal.ts"
import { connect, owe } from "../../src/testing/connectionJournal/Rule.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { Backend, end, hangs, layer, refuses, rooms, until } from "./OutboxRooms.ts"

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `n${`${index}`.padStart(4, "0")}`)

/** A journal that a former server has left. */
const left = (open: ReadonlyArray<string>, owed: ReadonlyArray<string> = []) =>
  Effect.tap(MemoryConnectionJournal.make, (journal) =>
    Effect.gen(function* () {
      for (const token of [...open, ...owed]) yield* journal.commit([connect(token)])
      for (const token of owed) yield* journal.commit([owe(token, 1, "replaced")])
    })
  )

describe("DisconnectOutbox, when it starts and when it is full,", () => {
  // promise 7
  it.effect("delivers what a former server owed, and for what it left open reason `error`, once each", () =>
    Effect.gen(function* () {
      const journal = yield* left(["open"], ["owed"])
      const backend = new Backend()
      yield* Effect.gen(function* () {
        const { outbox } = yield* rooms
        yield* outbox.drain
        assert.deepEqual(backend.calls.map(({ reason, request, token }) => [token, reason, request]).toSorted(), [
          ["open", "error", `{"url":"/sse/open","headers":{"x-ü":"😀"}}`],
          ["owed", "replaced", `{"url":"/sse/owed","headers":{"x-ü":"😀"}}`]
        ])
        yield* TestClock.adjust("1 day")
        assert.equal(backend.calls.length, 2)
      }).pipe(Effect.provide(layer({ backend, journal })))
    })
  )

  it.effect("has taken all that was left open before it is ready, however much, so that none of ours is among it", () =>
    Effect.gen(function* () {
      const tokens = numbered(1800)
      const journal = yield* left(tokens)
      const backend = new Backend()
      backend.script = () => Effect.never
      yield* Effect.gen(function* () {
        const { faulty, outbox, writer } = yield* rooms
        yield* writer.record(connect("ours"))
        assert.isAtLeast(faulty.calls("orphan"), 3)
        assert.equal((yield* journal.owed(9999)).length, 1800)
        yield* until(() => outbox.size() === 1800, "not all are under way")
        assert.isFalse(backend.calls.some(({ token }) => token === "ours"))
      }).pipe(Effect.provide(layer({ backend, journal })))
    })
  )

  it.effect("starts when a store that was locked is free again, and fails with a type when it does not heal", () =>
    Effect.gen(function* () {
      const journal = yield* left(["open"])
      const backend = new Backend()
      const started = (reason: StoreError["reason"], times: number) =>
        Effect.fork(
          Effect.provide(
            Effect.flatMap(rooms, ({ outbox }) => outbox.drain),
            layer({ backend, journal, prepare: ({ next }) => next("orphan", FaultyStore.fails(reason), { times }) })
          )
        )
      const corrupt = yield* started("Corrupt", 1)
      assert.equal((yield* Effect.flip(Fiber.join(corrupt))).reason, "Corrupt")
      const full = yield* started("Full", Number.POSITIVE_INFINITY)
      yield* TestClock.adjust("6 seconds")
      assert.equal((yield* Effect.flip(Fiber.join(full))).reason, "Full")
      assert.deepEqual(backend.calls, [])
      const busy = yield* started("Busy", 3)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(busy)
      assert.deepEqual(backend.told, ["open"])
    })
  )

  // promise 3
  it.effect("has no more under way than its bound, and delivers the rest too, once each", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      let busy = 0
      let most = 0
      backend.script = (call, nth) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            busy += 1
            most = Math.max(most, busy)
          }),
          () => (nth === 1 ? hangs(call, nth) : Effect.void),
          () =>
            Effect.sync(() => {
              busy -= 1
            })
        )
      const tokens = numbered(30)
      yield* Effect.forEach(tokens, (token) => end(token), { concurrency: "unbounded" })
      assert.equal(outbox.size(), 4)
      const drain = yield* Effect.fork(outbox.drain)
      yield* TestClock.adjust("30 minutes")
      yield* Fiber.join(drain)
      assert.deepEqual([most, backend.told.toSorted(), backend.calls.length], [4, tokens, 60])
      assert.deepEqual([yield* faulty.sound.owed(9), outbox.size()], [[], 0])
    }).pipe(Effect.provide(layer({ maxDeliveries: 4 })))
  )

  it.effect("asks the journal for more only when fewer than half of the bound are under way", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      yield* outbox.drain
      const loads = faulty.calls("owed")
      const open = new Set<string>()
      backend.script = ({ token }) => Effect.repeat(settled, { until: () => open.has(token) })
      for (const token of numbered(7)) yield* end(token)
      const finish = (token: string) =>
        Effect.zipRight(
          Effect.sync(() => open.add(token)),
          until(() => backend.told.includes(token), `${token} is not told`)
        )
      yield* finish("n0000")
      yield* finish("n0001")
      assert.deepEqual([faulty.calls("owed") - loads, outbox.size()], [0, 2])
      yield* finish("n0002")
      yield* until(() => outbox.size() === 4, "the rest is not loaded")
      assert.equal(faulty.calls("owed") - loads, 1)
      for (const token of numbered(7)) open.add(token)
      yield* outbox.drain
      assert.deepEqual(backend.told.toSorted(), numbered(7))
    }).pipe(Effect.provide(layer({ maxDeliveries: 4 })))
  )

  // promise 7
  it.effect("delivers once what it has delivered while the journal was still telling that it is owed", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      yield* outbox.drain
      const before = yield* FaultyStore.holds
      const answer = yield* FaultyStore.holdsAnswer
      faulty.next("owed", { on: (call) => answer.on(before.on(call)) })
      yield* Effect.forEach(["a", "b", "c"], (token) => end(token), { concurrency: "unbounded" })
      yield* before.reached
      backend.script = () => Effect.zipRight(answer.reached, settled)
      yield* end("d")
      yield* before.release
      yield* answer.reached
      yield* until(() => backend.told.includes("d") && outbox.size() === 0, "the end during the load waits")
      assert.deepEqual((yield* faulty.sound.owed(9)).length, 1)
      yield* answer.release
      yield* outbox.drain
      assert.deepEqual(backend.told.toSorted(), ["a", "b", "c", "d"])
    }).pipe(Effect.provide(layer({ maxDeliveries: 2 })))
  )

  it.effect("loads later what found no room, because others ended while the journal was asked", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      yield* outbox.drain
      const open = new Set(["a", "b", "c"])
      backend.script = ({ token }) => Effect.repeat(settled, { until: () => open.has(token) })
      const answer = yield* FaultyStore.holdsAnswer
      faulty.next("owed", answer)
      const ends = (...tokens: ReadonlyArray<string>) =>
        Effect.forEach(tokens, (token) => end(token), { concurrency: "unbounded" })
      yield* ends("a", "b", "c", "d", "loaded")
      yield* answer.reached
      yield* ends("e", "f", "g")
      yield* answer.release
      yield* settled
      assert.deepEqual([outbox.size(), backend.of("loaded")], [4, []])
      for (const token of ["d", "e", "f", "g", "loaded"]) open.add(token)
      yield* outbox.drain
      assert.deepEqual(backend.told.toSorted(), ["a", "b", "c", "d", "e", "f", "g", "loaded"])
    }).pipe(Effect.provide(layer({ maxDeliveries: 4 })))
  )

  it.effect("asks again until a journal that does not tell what it owes does", () =>
    Effect.gen(function* () {
      const { backend, faulty, log, outbox } = yield* rooms
      yield* outbox.drain
      backend.script = refuses
      for (const token of ["a", "b", "c"]) yield* end(token)
      faulty.next("owed", FaultyStore.fails("Busy"))
      faulty.next("owed", FaultyStore.dies(new Error("boom")))
      backend.script = () => Effect.void
      yield* TestClock.adjust("2 minutes")
      yield* outbox.drain
      assert.deepEqual(backend.told.toSorted(), ["a", "b", "c"])
      assert.isTrue(log.some(({ level, text }) => level === "WARN" && text.includes("boom")))
    }).pipe(Effect.provide(layer({ maxDeliveries: 1 })))
  )
})
