import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { callOf, end, layer, refuses, rooms, until, untilCalls } from "./OutboxRooms.ts"

const uuid = (digits: string) => `4f9c1d52-8f6e-4a2b-9c3d-0123456789${digits}`

/** Ends connections whose disconnects the backend refuses for an hour. */
const givenUp = (...tokens: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { backend, outbox } = yield* rooms
    backend.script = refuses
    yield* Effect.forEach(tokens, (token) => end(token), { concurrency: "unbounded" })
    yield* TestClock.adjust("61 minutes")
    yield* until(() => outbox.size() === 0, "not given up")
    backend.script = () => Effect.void
  })

const listed = Effect.flatMap(rooms, ({ outbox }) =>
  Effect.map(outbox.deadLetters({ limit: 99 }), (letters) => letters.map(({ token }) => token))
)

describe("DisconnectOutbox, of what it gives up,", () => {
  it.effect("tries for an hour, at most 60 s apart, and then keeps a dead letter", () =>
    Effect.gen(function* () {
      const { backend, faulty, log, outbox } = yield* rooms
      backend.script = refuses
      yield* end("t", "replaced")
      yield* TestClock.adjust("58 minutes")
      assert.deepEqual([outbox.size(), yield* listed], [1, []])
      yield* TestClock.adjust("3 minutes")
      yield* until(() => outbox.size() === 0, "not given up")

      const delays = backend.delays("t")
      assert.isAtMost(Math.max(...delays), 60_000)
      for (const delay of delays.slice(6)) assert.isAtLeast(delay, 40_000)
      assert.isAbove(new Set(delays.slice(6)).size, 10)
      const last = backend.calls[backend.calls.length - 1]?.at ?? 0
      assert.isTrue(last > 58 * 60_000 && last <= 60 * 60_000, `the last try came after ${last} ms`)

      const letters = yield* outbox.deadLetters({ limit: 9 })
      const problem = "the backend answered 503 Service Unavailable"
      const attempts = backend.calls.length
      assert.deepEqual(letters, [{ ...callOf("t", "replaced"), owedAt: 0, attempts, problem, diedAt: last }])
      assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("disconnect t is given up")))
      assert.deepEqual(yield* faulty.sound.owed(9), [])
      yield* TestClock.adjust("1 day")
      assert.equal(backend.calls.length, attempts)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("delivers a dead letter when it is told to, and has it no more", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      yield* givenUp(uuid("ab"), uuid("ac"))
      const before = backend.calls.length
      assert.equal(yield* outbox.retry(uuid("ac")), true)
      yield* untilCalls(before + 1)
      yield* outbox.drain
      assert.deepEqual([backend.told, yield* listed], [[uuid("ac")], [uuid("ab")]])
      assert.deepEqual(yield* faulty.sound.owed(9), [])
      assert.equal(backend.calls.length, before + 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("gives a dead letter that is told to be delivered another hour", () =>
    Effect.gen(function* () {
      const { backend, outbox } = yield* rooms
      yield* givenUp(uuid("ab"))
      backend.script = refuses
      assert.equal(yield* outbox.retry(uuid("ab")), true)
      assert.deepEqual([yield* listed, outbox.size()], [[], 1])
      yield* TestClock.adjust("58 minutes")
      assert.deepEqual([yield* listed, outbox.size()], [[], 1])
      yield* TestClock.adjust("3 minutes")
      yield* until(() => outbox.size() === 0, "not given up again")
      assert.deepEqual(yield* listed, [uuid("ab")])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("delivers once what is told to be delivered many times at once, and knows no other token", () =>
    Effect.gen(function* () {
      const { backend, outbox } = yield* rooms
      const tokens = ["ab", "aa", "ba", "b0"].map(uuid)
      yield* givenUp(...tokens)
      const wanted = [uuid("ab"), uuid("ab"), uuid("ac"), uuid("ab"), "", "x", uuid("a"), uuid("ba0"), uuid("ab")]
      const found = yield* Effect.forEach(wanted, outbox.retry, { concurrency: "unbounded" })
      yield* outbox.drain
      assert.deepEqual(found, [true, false, false, false, false, false, false, false, false])
      assert.deepEqual(backend.told, [uuid("ab")])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("delivers also what is told to be delivered while it is being given up", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      const answer = yield* FaultyStore.holdsAnswer
      faulty.next("commit", answer, { when: ({ _tag }) => _tag === "GiveUp" })
      backend.script = refuses
      yield* end(uuid("ab"))
      yield* TestClock.adjust("61 minutes")
      yield* answer.reached
      backend.script = () => Effect.void
      const retry = yield* Effect.fork(outbox.retry(uuid("ab")))
      yield* settled
      const revival = yield* FaultyStore.holds
      faulty.next("commit", revival, { when: ({ _tag }) => _tag === "Revive" })
      yield* answer.release
      yield* revival.reached
      assert.equal(outbox.size(), 1)
      yield* revival.release
      assert.equal(yield* retry, true)
      yield* until(() => backend.told.length === 1, "it was lost")
      yield* outbox.drain
      assert.deepEqual([yield* listed, yield* faulty.sound.owed(9)], [[], []])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("changes nothing when the store refuses to have it delivered once more", () =>
    Effect.gen(function* () {
      const { backend, faulty, outbox } = yield* rooms
      yield* givenUp(uuid("ab"))
      faulty.next("commit", FaultyStore.fails("Full"))
      assert.equal((yield* Effect.flip(outbox.retry(uuid("ab")))).reason, "Full")
      assert.deepEqual([outbox.size(), yield* listed, backend.told], [0, [uuid("ab")], []])
      faulty.next("dead", FaultyStore.fails("Unavailable"), { times: 2 })
      assert.equal((yield* Effect.flip(outbox.retry(uuid("ab")))).reason, "Unavailable")
      assert.equal((yield* Effect.flip(outbox.deadLetters({ limit: 1 }))).reason, "Unavailable")
      assert.equal(yield* outbox.retry(uuid("ab")), true)
      yield* outbox.drain
      assert.deepEqual(backend.told, [uuid("ab")])
    }).pipe(Effect.provide(layer()))
  )

  // promise 3
  it.effect("forgets a dead letter after 7 days, also when the store refused in between", () =>
    Effect.gen(function* () {
      const { faulty, log } = yield* rooms
      yield* givenUp("t")
      faulty.next("sweepDead", FaultyStore.fails("Busy"), { times: 3 })
      yield* TestClock.adjust("167 hours")
      assert.deepEqual(yield* listed, ["t"])
      faulty.next("sweepDead", FaultyStore.dies(new Error("boom")))
      yield* TestClock.adjust("3 hours")
      yield* settled
      assert.deepEqual(yield* listed, [])
      assert.isTrue(log.some(({ level, text }) => level === "WARN" && text.includes("boom")))
    }).pipe(Effect.provide(layer()))
  )
})
