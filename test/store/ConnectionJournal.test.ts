import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ConnectionJournal } from "../../src/store/ConnectionJournal.ts"
import * as MemoryConnectionJournal from "../../src/store/memory/MemoryConnectionJournal.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { commitAll, forget } from "../../src/testing/connectionJournal/Rule.ts"
import { connectionJournalContract } from "../../src/testing/ConnectionJournalContract.ts"
import * as JournalModel from "./JournalModel.ts"
import * as TemporaryFile from "./TemporaryFile.ts"

type Journal = typeof ConnectionJournal.Service

const sqlite = Layer.unwrapScoped(
  Effect.map(TemporaryFile.make, (filename) => SqliteStore.layer({ filename, durability: "process" }))
)

const take = (journal: Journal, step: JournalModel.Step) => {
  switch (step._tag) {
    case "Commit":
      return commitAll(journal, step.changes)
    case "Orphan":
      return journal.orphan(step.at)
    case "Sweep":
      return journal.sweepDead(step.cutoff)
  }
}

for (const [engine, layer] of [
  ["memory", MemoryConnectionJournal.layer],
  ["sqlite", Layer.orDie(sqlite)]
] as const) {
  describe(`ConnectionJournal (${engine})`, () => {
    for (const { holds, says } of connectionJournalContract) it.effect(says, () => Effect.provide(holds, layer))

    it.layer(layer)((it) => {
      // promise 7
      it.effect.prop(
        "owes and lists, after any history of changes, what a simple model does",
        { steps: JournalModel.history },
        ({ steps }) =>
          Effect.gen(function* () {
            const journal = yield* ConnectionJournal
            yield* commitAll(journal, JournalModel.tokens.map(forget))
            for (const [index, step] of steps.entries()) {
              yield* take(journal, step)
              const { letters, owes } = JournalModel.expected(steps.slice(0, index + 1))
              assert.deepEqual([yield* journal.owed(9), yield* journal.dead({ limit: 9 })], [owes, letters])
              assert.deepEqual(yield* journal.owed(2), owes.slice(0, 2))
              const after = letters.filter(({ token }) => token > "b").slice(0, 1)
              assert.deepEqual(yield* journal.dead({ after: "b", limit: 1 }), after)
            }
          }),
        { fastCheck: { numRuns: 200 } }
      )
    })
  })
}
