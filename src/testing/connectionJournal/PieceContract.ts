import * as assert from "node:assert/strict"
import { Effect } from "effect"
import {
  commitAll,
  connect,
  dead,
  expect,
  giveUp,
  numbered,
  owe,
  owed,
  pieces,
  revive,
  type Rule,
  rule
} from "./Rule.ts"

export const pieceContract: ReadonlyArray<Rule> = [
  rule("gives what is owed for the longest time first, of equal ones by token, at most so many", (journal) =>
    Effect.gen(function* () {
      yield* commitAll(journal, ["d", "b", "a", "c"].map(connect))
      yield* journal.commit([owe("d", 1), owe("b", 2), owe("a", 3), owe("c", 2)])
      yield* expect(journal, [owed("d", 1), owed("b", 2), owed("c", 2), owed("a", 3)])
      assert.deepEqual(yield* journal.owed(3), [owed("d", 1), owed("b", 2), owed("c", 2)])
    })
  ),

  rule("lists dead letters by token, from any place on, at most so many", (journal) =>
    Effect.gen(function* () {
      for (const token of ["c", "a", "d", "b"]) yield* journal.commit([connect(token), owe(token, 1), giveUp(token, 2)])
      const tokens = (after: string | undefined, limit: number) =>
        Effect.map(journal.dead({ after, limit }), (found) => found.map(({ token }) => token).join(""))
      assert.deepEqual([yield* tokens(undefined, 9), yield* tokens(undefined, 2)], ["abcd", "ab"])
      assert.deepEqual([yield* tokens("b", 9), yield* tokens("bb", 1), yield* tokens("d", 9)], ["cd", "c", ""])
    })
  ),

  rule("owes what a former process left open, with reason `error`, and leaves the rest as it is", (journal) =>
    Effect.gen(function* () {
      assert.equal(yield* journal.orphan(1), false)
      yield* journal.commit([connect("a"), connect("b"), owe("b", 2), connect("c"), owe("c", 3), giveUp("c", 4)])
      assert.equal(yield* journal.orphan(9), false)
      yield* expect(journal, [owed("b", 2), owed("a", 9, "error")], [dead("c", 3, 4)])
      yield* journal.commit([connect("d")])
      assert.equal(yield* journal.orphan(10), false)
      yield* expect(journal, [owed("b", 2), owed("a", 9, "error"), owed("d", 10, "error")], [dead("c", 3, 4)])
    })
  ),

  rule("owes all that was left open, in pieces of at most 1,000", (journal) =>
    Effect.gen(function* () {
      const tokens = numbered(2300)
      yield* commitAll(journal, tokens.map(connect))
      const count = Effect.map(journal.owed(10_000), (found) => found.length)
      assert.ok((yield* pieces(journal.orphan(7), count)) >= 3)
      const expected = tokens.map((token) => owed(token, 7, "error"))
      assert.deepEqual(yield* journal.owed(10_000), expected)
    })
  ),

  rule("forgets the dead letters that died before a time, and none that died at it", (journal) =>
    Effect.gen(function* () {
      yield* commitAll(journal, ["a", "b", "c", "d"].map(connect))
      yield* journal.commit([owe("a", 1), owe("b", 1), owe("c", 1), giveUp("a", 5), giveUp("b", 6)])
      assert.equal(yield* journal.sweepDead(5), false)
      yield* expect(journal, [owed("c", 1)], [dead("a", 1, 5), dead("b", 1, 6)])
      assert.equal(yield* journal.sweepDead(6), false)
      yield* expect(journal, [owed("c", 1)], [dead("b", 1, 6)])
      yield* journal.commit([revive("a", 7), owe("d", 8)])
      yield* expect(journal, [owed("c", 1), owed("d", 8)], [dead("b", 1, 6)])
    })
  ),

  rule("forgets all old dead letters, in pieces of at most 1,000", (journal) =>
    Effect.gen(function* () {
      const old = numbered(2300, "old-")
      const young = numbered(20, "young-")
      yield* commitAll(journal, [...old, ...young].map(connect))
      yield* commitAll(
        journal,
        [...old, ...young].map((token) => owe(token, 1))
      )
      yield* commitAll(journal, [...old.map((token) => giveUp(token, 2)), ...young.map((token) => giveUp(token, 3))])
      const count = Effect.map(journal.dead({ limit: 10_000 }), (found) => found.length)
      assert.ok((yield* pieces(journal.sweepDead(3), count)) >= 3)
      yield* expect(
        journal,
        [],
        young.map((token) => dead(token, 1, 3))
      )
    })
  )
]
