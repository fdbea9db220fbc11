import * as assert from "node:assert/strict"
import { Effect, Option } from "effect"
import * as BatchFixture from "../BatchFixture.ts"
import { a, all, b, expectPage, fromTo, type Rule, rule, seqs, untilDone } from "./Rule.ts"

const { at, ofNumbers, singles } = BatchFixture

/** Sessions of a retention rule's answer, in an order to compare. */
const sorted = (found: ReadonlyArray<{ readonly session: string; readonly oldest: number }>) =>
  found.map(({ oldest, session }) => `${session} from ${oldest}`).sort()

export const retentionContract: ReadonlyArray<Rule> = [
  rule("hides at once what is trimmed, and keeps the rest", (store) =>
    Effect.gen(function* () {
      yield* store.commit([...singles("a", 1, 10), ofNumbers("b", 1, 10)])
      assert.equal(yield* store.trim(a, 8), false)
      assert.deepEqual([yield* seqs(store, a), yield* seqs(store, b)], [fromTo(8, 10), fromTo(1, 10)])
      assert.deepEqual(Option.getOrThrow(yield* store.load(a)).oldest, 8)
    })
  ),

  rule("keeps the head and the time of the last commit when retention removed everything (S60)", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 4)])
      yield* store.commit([ofNumbers("a", 5, 4, { at: at + 500 })])
      yield* untilDone(store.trim(a, 9))
      const found = Option.getOrThrow(yield* store.load(a))
      assert.deepEqual([found.oldest, found.head, found.updatedAt], [9, 8, at + 500])
      assert.deepEqual([yield* seqs(store, a), yield* store.readPage(a, 0, 10)], [[], Option.none()])
    })
  ),

  rule("gives no number twice after everything was removed (S67)", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 4)])
      yield* untilDone(store.trim(a, 5))
      yield* store.commit([ofNumbers("a", 5, 2)])
      assert.deepEqual(yield* seqs(store, a), [5, 6])
      yield* expectPage(store, a, 0, 10, 5, 6)
      yield* expectPage(store, a, 4, 10, 5, 6)
    })
  ),

  rule("never brings back what was trimmed, and never trims what is not there yet", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 10)])
      yield* untilDone(store.trim(a, 6))
      yield* untilDone(store.trim(a, 3))
      assert.deepEqual(yield* seqs(store, a), fromTo(6, 10))
      yield* untilDone(store.trim(a, 1000))
      const found = Option.getOrThrow(yield* store.load(a))
      assert.deepEqual([found.oldest, found.head], [11, 10])
      assert.equal(yield* store.trim(b, 5), false)
    })
  ),

  rule(
    "frees a large log in pieces and says when more is left, while all of it is hidden from the first piece on",
    (store) =>
      Effect.gen(function* () {
        yield* store.commit(singles("a", 1, 1203))
        assert.equal(yield* store.trim(a, 1202), true)
        assert.deepEqual(yield* seqs(store, a), [1202, 1203])
        assert.equal(Option.getOrThrow(yield* store.load(a)).head, 1203)
        assert.deepEqual([yield* store.trim(a, 1202), yield* store.trim(a, 1202)], [true, false])
        assert.deepEqual(yield* seqs(store, a), [1202, 1203])
      })
  ),

  rule("finds, for each session, what was committed before a time, and nothing committed at it", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 2), ofNumbers("b", 1, 1)])
      yield* store.commit([ofNumbers("a", 3, 2, { at: at + 10 }), ofNumbers("c", 1, 1, { at: at + 10 })])
      yield* store.commit([ofNumbers("a", 5, 2, { at: at + 20 })])
      assert.deepEqual(sorted(yield* store.expired(at)), [])
      assert.deepEqual(sorted(yield* store.expired(at + 10)), ["a from 3", "b from 2"])
      assert.deepEqual(sorted(yield* store.expired(at + 11)), ["a from 5", "b from 2", "c from 2"])
      yield* untilDone(store.trim(a, 3))
      yield* untilDone(store.trim(b, 2))
      assert.deepEqual(sorted(yield* store.expired(at + 10)), [])
    })
  ),

  rule("comes to the end of what expired piece by piece, however much it is", (store) =>
    Effect.gen(function* () {
      yield* store.commit([...singles("a", 1, 700), ...singles("b", 1, 700)])
      yield* store.commit([ofNumbers("a", 701, 1, { at: at + 1 }), ofNumbers("b", 701, 1, { at: at + 1 })])
      const step = Effect.gen(function* () {
        const found = yield* store.expired(at + 1)
        for (const { oldest, session } of found) yield* untilDone(store.trim(session, oldest))
        return found.length > 0
      })
      yield* untilDone(step)
      assert.deepEqual([yield* seqs(store, a), yield* seqs(store, b)], [[701], [701]])
    })
  ),

  rule("forgets a removed session at once, with its receipts", (store) =>
    Effect.gen(function* () {
      const receipts = [{ key: "k", digest: "d", first: 1, last: 3, head: 3 }]
      yield* store.commit([ofNumbers("a", 1, 3, { receipts }), ofNumbers("b", 1, 1)])
      assert.deepEqual([yield* store.remove(a), yield* store.remove(a)], [true, false])
      assert.deepEqual([yield* store.load(a), yield* store.readPage(a, 0, 10)], [Option.none(), Option.none()])
      assert.deepEqual([yield* store.readEvents(a, all), yield* store.receipt(a, "k")], [[], Option.none()])
      assert.deepEqual(
        (yield* store.list({ limit: 10 })).map(({ session }) => session),
        [b]
      )
      assert.deepEqual(sorted(yield* store.expired(at + 1)), ["b from 2"])
    })
  ),

  rule("begins a removed session anew at 1 with another epoch, and the old log never shines through (S68)", (store) =>
    Effect.gen(function* () {
      const receipts = [{ key: "k", digest: "d", first: 1, last: 3, head: 3 }]
      yield* store.commit([ofNumbers("a", 1, 3, { receipts })])
      yield* store.remove(a)
      yield* store.commit([ofNumbers("a", 1, 1, { epoch: "e2", at: at + 5 })])
      const record = {
        session: a,
        epoch: "e2",
        state: "CREATED",
        oldest: 1,
        head: 1,
        createdAt: at + 5,
        updatedAt: at + 5,
        stateAt: at + 5,
        process: null
      }
      for (const when of ["before", "after"]) {
        assert.deepEqual(yield* store.load(a), Option.some(record), `${when} the sweep`)
        assert.deepEqual(yield* seqs(store, a), [1])
        assert.deepEqual(yield* store.receipt(a, "k"), Option.none())
        yield* expectPage(store, a, 0, 10, 1, 1)
        yield* untilDone(store.sweep(at))
      }
      yield* store.commit([ofNumbers("a", 2, 1, { epoch: "e2" })])
    })
  ),

  rule("sweeps what was removed, however much, and leaves the others alone", (store) =>
    Effect.gen(function* () {
      assert.equal(yield* store.sweep(at), false)
      yield* store.commit([...singles("a", 1, 1100), ofNumbers("b", 1, 2), ...singles("c", 1, 3)])
      yield* store.remove(a)
      yield* untilDone(store.sweep(at))
      assert.equal(yield* store.sweep(at), false)
      assert.deepEqual(yield* seqs(store, b), [1, 2])
    })
  ),

  rule("sweeps receipts older than a time, however many, and keeps the others", (store) =>
    Effect.gen(function* () {
      const receipt = { digest: "d", first: 1, last: 1, head: 1 }
      const receipts = fromTo(1, 1100).map((key) => ({ ...receipt, key: `${key}` }))
      yield* store.commit([ofNumbers("a", 1, 1, { receipts })])
      yield* store.commit([ofNumbers("a", 2, 1, { at: at + 1, receipts: [{ ...receipt, key: "new" }] })])
      yield* untilDone(store.sweep(at))
      assert.ok(Option.isSome(yield* store.receipt(a, "1")))
      yield* untilDone(store.sweep(at + 1))
      for (const key of ["1", "600", "1100"]) assert.deepEqual(yield* store.receipt(a, key), Option.none())
      assert.ok(Option.isSome(yield* store.receipt(a, "new")))
      assert.deepEqual(yield* seqs(store, a), [1, 2])
    })
  ),

  rule("tells when the oldest event and the oldest receipt that it has were committed", (store) =>
    Effect.gen(function* () {
      const receipt = { digest: "d", first: 1, last: 1, head: 1 }
      assert.deepEqual(yield* store.oldest, { event: Option.none(), receipt: Option.none() })
      yield* store.commit([ofNumbers("a", 1, 1)])
      yield* store.commit([ofNumbers("b", 1, 1, { at: at + 1, receipts: [{ ...receipt, key: "k" }] })])
      yield* store.commit([ofNumbers("a", 2, 1, { at: at + 2, receipts: [{ ...receipt, key: "l" }] })])
      assert.deepEqual(yield* store.oldest, { event: Option.some(at), receipt: Option.some(at + 1) })
      yield* untilDone(store.trim(a, 2))
      yield* untilDone(store.sweep(at + 2))
      assert.deepEqual(yield* store.oldest, { event: Option.some(at + 1), receipt: Option.some(at + 2) })
      for (const session of [a, b]) yield* untilDone(store.trim(session, 3))
      yield* untilDone(store.sweep(at + 3))
      assert.deepEqual(yield* store.oldest, { event: Option.none(), receipt: Option.none() })
    })
  )
]
