import * as assert from "node:assert/strict"
import { Effect, Exit, Option } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { SessionId } from "../../domain/Session.ts"
import type { Batch } from "../../store/Batch.ts"
import { LogMismatch } from "../../store/LogMismatch.ts"
import * as BatchFixture from "../BatchFixture.ts"
import { a, all, b, fromTo, type Rule, rule, seqs, type Store } from "./Rule.ts"

const { at, ofNumbers } = BatchFixture

const head = (store: Store, session: SessionId) =>
  Effect.map(store.load(session), (found) => Option.getOrThrow(found).head)

/** Asserts that the commit is refused as the bug that it is. */
const refused = (store: Store, batches: NonEmptyReadonlyArray<Batch>) =>
  Effect.map(Effect.exit(store.commit(batches)), (exit) => {
    assert.ok(Exit.isFailure(exit) && exit.cause._tag === "Die", "the commit did not die")
  })

export const commitContract: ReadonlyArray<Rule> = [
  rule("numbers the events of a session 1, 2, 3 over all its batches", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 2)])
      yield* store.commit([ofNumbers("a", 3, 1), ofNumbers("a", 4, 3)])
      assert.deepEqual(yield* seqs(store, a), fromTo(1, 6))
      assert.deepEqual(
        (yield* store.readEvents(a, all)).map(({ data }) => data),
        ["1", "2", "3", "4", "5", "6"]
      )
    })
  ),

  rule("commits several sessions at once and keeps their logs apart", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 1), ofNumbers("b", 1, 2)])
      yield* store.commit([ofNumbers("b", 3, 1), ofNumbers("a", 2, 3), ofNumbers("b", 4, 1)])
      assert.deepEqual([yield* seqs(store, a), yield* seqs(store, b)], [fromTo(1, 4), fromTo(1, 4)])
    })
  ),

  rule("stores all batches of a commit or none, also when the last one is refused", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 1)])
      yield* refused(store, [ofNumbers("a", 2, 1), ofNumbers("b", 1, 2), ofNumbers("a", 1, 1)])
      assert.deepEqual([yield* head(store, a), yield* store.load(b)], [1, Option.none()])
      yield* store.commit([ofNumbers("a", 2, 1), ofNumbers("b", 1, 1)])
      assert.deepEqual([yield* head(store, a), yield* head(store, b)], [2, 1])
    })
  ),

  rule("gives no number twice and leaves none out: a batch that is not the next one is refused", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 5)])
      yield* refused(store, [ofNumbers("a", 5, 1)])
      yield* refused(store, [ofNumbers("a", 2, 2)])
      yield* refused(store, [ofNumbers("a", 7, 1)])
      yield* refused(store, [ofNumbers("a", 6, 1, { epoch: "other" })])
      yield* refused(store, [ofNumbers("b", 1, 1, { creates: false })])
      assert.deepEqual(yield* seqs(store, a), fromTo(1, 5))
      assert.equal(
        new LogMismatch(ofNumbers("a", 7, 1)).message,
        "event 7 of epoch e1 is not the next one of session a"
      )
    })
  ),

  rule("tells of a session what its first and last commit made of it, and of an unknown one nothing", (store) =>
    Effect.gen(function* () {
      assert.deepEqual(yield* store.load(a), Option.none())
      yield* store.commit([ofNumbers("a", 1, 2)])
      const stands = { state: "CREATED", stateAt: at, process: null }
      const first = { session: a, epoch: "e1", ...stands, oldest: 1, head: 2, createdAt: at, updatedAt: at }
      assert.deepEqual(yield* store.load(a), Option.some(first))
      yield* store.commit([ofNumbers("a", 3, 1, { at: at + 7000 }), ofNumbers("b", 1, 1, { at: at + 9000 })])
      assert.deepEqual(yield* store.load(a), Option.some({ ...first, head: 3, updatedAt: at + 7000 }))
    })
  ),

  rule("knows the head of no event, of one, of several, and beside another session (S60)", (store) =>
    Effect.gen(function* () {
      assert.deepEqual(yield* store.load(a), Option.none())
      yield* store.commit([ofNumbers("a", 1, 1)])
      assert.equal(yield* head(store, a), 1)
      yield* store.commit([ofNumbers("a", 2, 9), ofNumbers("b", 1, 40)])
      assert.deepEqual([yield* head(store, a), yield* head(store, b)], [10, 40])
    })
  ),

  rule("keeps a receipt with its batch, and gives it back by session and key", (store) =>
    Effect.gen(function* () {
      const receipt = { key: "k", digest: "d", first: 1, last: 2, head: 2 }
      yield* store.commit([ofNumbers("a", 1, 2, { receipts: [receipt, { ...receipt, key: "l", digest: "e" }] })])
      assert.deepEqual(yield* store.receipt(a, "k"), Option.some(receipt))
      assert.deepEqual(yield* store.receipt(a, "l"), Option.some({ ...receipt, key: "l", digest: "e" }))
      assert.deepEqual([yield* store.receipt(a, "x"), yield* store.receipt(b, "k")], [Option.none(), Option.none()])
      yield* store.commit([ofNumbers("a", 3, 1, { receipts: [{ ...receipt, head: 3 }] })])
      assert.deepEqual(yield* store.receipt(a, "k"), Option.some({ ...receipt, head: 3 }))
    })
  ),

  rule("keeps no receipt of a commit that was refused", (store) =>
    Effect.gen(function* () {
      const receipts = [{ key: "k", digest: "d", first: 1, last: 1, head: 1 }]
      yield* refused(store, [ofNumbers("a", 1, 1, { receipts }), ofNumbers("b", 2, 1)])
      yield* store.commit([ofNumbers("a", 1, 1)])
      assert.deepEqual(yield* store.receipt(a, "k"), Option.none())
    })
  ),

  rule("lists sessions by id, from any place on, at most so many", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("c", 1, 3), ofNumbers("B", 1, 1), ofNumbers("a", 1, 2), ofNumbers("b~", 1, 1)])
      const names = (after: string | undefined, limit: number) =>
        Effect.map(store.list({ after, limit }), (found) => found.map(({ head, session }) => `${session} ${head}`))
      assert.deepEqual(yield* names(undefined, 10), ["B 1", "a 2", "b~ 1", "c 3"])
      assert.deepEqual(yield* names("a", 10), ["b~ 1", "c 3"])
      assert.deepEqual(yield* names("aa", 1), ["b~ 1"])
      assert.deepEqual(yield* names("c", 10), [])
    })
  ),

  rule("lists the sessions of one state", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 1), ofNumbers("b", 1, 1)])
      assert.deepEqual(
        (yield* store.list({ state: "CREATED", limit: 10 })).map(({ session }) => session),
        [a, b]
      )
      assert.deepEqual(
        (yield* store.list({ state: "CREATED", after: "a", limit: 10 })).map(({ session }) => session),
        [b]
      )
      assert.deepEqual(yield* store.list({ state: "ENDED", limit: 10 }), [])
    })
  ),

  rule("says whether it can be written now", (store) => store.check)
]
