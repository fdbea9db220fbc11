import * as assert from "node:assert/strict"
import { Effect } from "effect"
import type { JournalChange } from "../../store/ConnectionJournal.ts"
import { connect, dead, expect, forget, giveUp, owe, owed, revive, type Rule, rule } from "./Rule.ts"

export const changeContract: ReadonlyArray<Rule> = [
  rule("owes nothing for a connection that is open", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([connect("a")])
      yield* expect(journal, [])
    })
  ),

  rule("owes the disconnect, with the request of the connect, until it is forgotten", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([connect("a"), connect("b")])
      yield* journal.commit([owe("a", 5, "slow_consumer")])
      yield* expect(journal, [owed("a", 5, "slow_consumer")])
      yield* journal.commit([forget("a")])
      yield* expect(journal, [])
    })
  ),

  rule("keeps the first reason that is owed, and its time", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([connect("a"), owe("a", 5, "replaced")])
      yield* journal.commit([owe("a", 3, "shutdown")])
      yield* expect(journal, [owed("a", 5, "replaced")])
    })
  ),

  rule("makes the changes of one commit in their order", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([owe("a", 1), connect("a"), connect("b"), owe("b", 2), forget("b"), connect("b")])
      yield* expect(journal, [])
      yield* journal.commit([owe("a", 3, "error"), owe("a", 4), owe("b", 5), giveUp("b", 6)])
      yield* expect(journal, [owed("a", 3, "error")], [dead("b", 5, 6)])
    })
  ),

  rule("changes nothing for a token that it does not know", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([forget("x"), owe("x", 1), giveUp("x", 2), revive("x", 3)])
      yield* expect(journal, [])
      yield* journal.commit([connect("x"), owe("x", 1), forget("x"), owe("x", 2), giveUp("x", 3), revive("x", 4)])
      yield* expect(journal, [])
    })
  ),

  rule("changes nothing for a change that is out of turn", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([connect("open"), giveUp("open", 1), revive("open", 2)])
      yield* journal.commit([connect("owed"), owe("owed", 3), revive("owed", 4)])
      yield* journal.commit([connect("dead"), owe("dead", 5), giveUp("dead", 6), owe("dead", 7), giveUp("dead", 8, 9)])
      yield* expect(journal, [owed("owed", 3)], [dead("dead", 5, 6)])
    })
  ),

  rule("takes the connect of a token that it knows for the same one: made twice, a change is made once", (journal) =>
    Effect.gen(function* () {
      const again = (token: string): JournalChange => ({ _tag: "Connect", token, request: "other" })
      yield* journal.commit([connect("a"), again("a"), connect("b"), owe("b", 1), again("b")])
      yield* journal.commit([connect("c"), owe("c", 2), giveUp("c", 3), again("c"), owe("a", 4)])
      yield* expect(journal, [owed("b", 1), owed("a", 4)], [dead("c", 2, 3)])
    })
  ),

  rule("forgets a connection that is open, owed or dead", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([connect("a"), connect("b"), owe("b", 1), connect("c"), owe("c", 1), giveUp("c", 2)])
      yield* journal.commit([forget("a"), forget("b"), forget("c"), owe("a", 3), giveUp("b", 3), revive("c", 3)])
      yield* expect(journal, [])
      assert.equal(yield* journal.orphan(4), false)
      yield* expect(journal, [])
    })
  ),

  rule("owes a revived dead letter from then on, and lets it die again", (journal) =>
    Effect.gen(function* () {
      yield* journal.commit([connect("a"), owe("a", 1), giveUp("a", 2, 70)])
      yield* expect(journal, [], [dead("a", 1, 2, 70)])
      yield* journal.commit([revive("a", 9)])
      yield* expect(journal, [owed("a", 9)])
      yield* journal.commit([giveUp("a", 10, 4)])
      yield* expect(journal, [], [dead("a", 9, 10, 4)])
    })
  )
]
