import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ConnectionJournal } from "../../src/store/ConnectionJournal.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as SqliteConnectionJournal from "../../src/store/sqlite/SqliteConnectionJournal.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as BatchFixture from "../../src/testing/BatchFixture.ts"
import { connect, dead, expect, forget, giveUp, owe, owed } from "../../src/testing/connectionJournal/Rule.ts"
import { a, seqs } from "../../src/testing/eventStore/Rule.ts"
import * as OtherServer from "./OtherServer.ts"
import * as TemporaryFile from "./TemporaryFile.ts"

const opened = (filename: string) =>
  Effect.map(SqliteStore.open({ filename, durability: "process" }), (db) => ({
    db,
    journal: SqliteConnectionJournal.make(db),
    store: SqliteStore.make(db)
  }))

describe("SqliteConnectionJournal", () => {
  // promise 7
  it.scoped("has what was committed when its file is opened again", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { journal } = yield* opened(filename)
          yield* journal.commit([connect("open"), connect("owed"), connect("dead"), connect("forgotten")])
          yield* journal.commit([owe("owed", 1), owe("dead", 2), giveUp("dead", 3), forget("forgotten")])
        })
      )
      const { journal } = yield* opened(filename)
      yield* expect(journal, [owed("owed", 1)], [dead("dead", 2, 3)])
      yield* journal.orphan(4)
      yield* expect(journal, [owed("owed", 1), owed("open", 4, "error")], [dead("dead", 2, 3)])
    })
  )

  it.scoped("shares the file, and the layer, with the log of events", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      const both = Effect.all({ journal: ConnectionJournal, store: EventStore })
      const layer = SqliteStore.layer({ filename, durability: "process" })
      const write = Effect.flatMap(both, ({ journal, store }) =>
        Effect.zipRight(store.commit([BatchFixture.ofNumbers("a", 1, 2)]), journal.commit([connect("t"), owe("t", 1)]))
      )
      const read = Effect.flatMap(both, ({ journal, store }) =>
        Effect.zipRight(expect(journal, [owed("t", 1)]), seqs(store, a))
      )
      yield* Effect.provide(write, layer)
      assert.deepEqual(yield* Effect.provide(read, layer), [1, 2])
    })
  )

  it.scoped("makes all changes of a commit or none when the disk is full, and all of them when there is space", () =>
    Effect.gen(function* () {
      const { db, journal } = yield* opened(yield* TemporaryFile.make)
      yield* journal.commit([connect("a"), connect("b"), owe("b", 1)])
      db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true })}`)
      const large = { _tag: "Connect", token: "c", request: "x".repeat(100_000) } as const
      const error = yield* Effect.flip(journal.commit([owe("a", 2), forget("b"), large]))
      assert.equal(error.reason, "Full")
      yield* expect(journal, [owed("b", 1)])
      yield* journal.commit([forget("b")])
      db.pragma("max_page_count = 100000")
      yield* journal.commit([owe("a", 2), large])
      yield* expect(journal, [owed("a", 2)])
    })
  )

  it.scoped(
    "answers Busy while another process holds the write lock, and has lost no place in what it goes through",
    () =>
      Effect.gen(function* () {
        const filename = yield* TemporaryFile.make
        const { journal } = yield* opened(filename)
        yield* journal.commit([connect("a"), connect("b"), owe("b", 1), giveUp("b", 2)])
        const other = yield* OtherServer.make(filename, "begin immediate")
        const steps = [journal.commit([owe("a", 3)]), journal.orphan(3), journal.sweepDead(9)]
        for (const step of steps) assert.equal((yield* Effect.flip(step)).reason, "Busy")
        yield* expect(journal, [], [dead("b", 1, 2)])
        yield* other.kill
        yield* journal.orphan(4)
        yield* expect(journal, [owed("a", 4, "error")], [dead("b", 1, 2)])
      })
  )

  it.scoped("is added to a file that was written before there was one, whose events stay", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { db, store } = yield* opened(filename)
          yield* store.commit([BatchFixture.ofNumbers("a", 1, 3)])
          db.exec("drop index sessions_by_state; drop index sessions_with_process; drop table messages")
          db.exec("alter table sessions drop column state_at; alter table sessions drop column process")
          db.exec("drop table connections; drop table retained; delete from migrations where migration_id > 1")
        })
      )
      const { journal, store } = yield* opened(filename)
      assert.deepEqual(yield* seqs(store, a), [1, 2, 3])
      yield* journal.commit([connect("t"), owe("t", 1)])
      yield* expect(journal, [owed("t", 1)])
    })
  )
})
