import * as assert from "node:assert/strict"
import * as fs from "node:fs"
import { performance } from "node:perf_hooks"
import { describe, it } from "@effect/vitest"
import SQLite from "better-sqlite3"
import { Array, Effect, Exit, Option } from "effect"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { attempt } from "../../src/store/sqlite/SqliteFailure.ts"
import * as BatchFixture from "../../src/testing/BatchFixture.ts"
import { a, b, expectPage, fromTo, seqs } from "../../src/testing/eventStore/Rule.ts"
import * as OtherServer from "./OtherServer.ts"
import * as TemporaryFile from "./TemporaryFile.ts"

const { ofNumbers } = BatchFixture
const megabyte = 1_048_576

const opened = Effect.gen(function* () {
  const filename = yield* TemporaryFile.make
  const db = yield* SqliteStore.open({ filename, durability: "process" })
  return {
    filename,
    db,
    store: SqliteStore.make(db),
    pragma: (name: string) => db.pragma(name, { simple: true })
  } as const
})

/** `count` batches of one event of 250 KB. */
const large = (session: string, first: number, count: number) =>
  Array.makeBy(count, (index) => BatchFixture.make(session, first + index, [{ name: "n", data: "x".repeat(250_000) }]))

const walBytes = (filename: string) => fs.statSync(`${filename}-wal`).size

describe("SqliteStore", () => {
  it.scoped("answers Full when the disk is, keeps reading meanwhile, and appends again when there is space", () =>
    Effect.gen(function* () {
      const { db, pragma, store } = yield* opened
      yield* store.commit([ofNumbers("a", 1, 3)])
      db.pragma(`max_page_count = ${Number(pragma("page_count")) + 20}`)
      const [first, ...rest] = large("a", 4, 4)
      for (let attempts = 0; attempts < 3; attempts++) {
        const error = yield* Effect.flip(store.commit([ofNumbers("b", 1, 1), first, ...rest]))
        assert.equal(error.reason, "Full")
        assert.deepEqual([yield* seqs(store, a), yield* store.load(b)], [fromTo(1, 3), Option.none()])
        yield* expectPage(store, a, 0, 10, 1, 3)
      }
      db.pragma("max_page_count = 100000")
      yield* store.commit([ofNumbers("b", 1, 1), first, ...rest])
      assert.deepEqual([yield* seqs(store, a), yield* seqs(store, b)], [fromTo(1, 7), [1]])
    })
  )

  it.scoped("still frees space when the disk is full", () =>
    Effect.gen(function* () {
      const { db, pragma, store } = yield* opened
      yield* store.commit(large("a", 1, 4))
      db.pragma(`max_page_count = ${pragma("page_count")}`)
      assert.equal((yield* Effect.flip(store.commit(large("a", 5, 1)))).reason, "Full")
      yield* store.trim(a, 3)
      yield* store.commit(large("a", 5, 1))
      assert.deepEqual(yield* seqs(store, a), [3, 4, 5])
    })
  )

  it.scoped(
    "answers Busy within 300 ms while another process holds the write lock, reads meanwhile, and commits after it",
    () =>
      Effect.gen(function* () {
        const { filename, store } = yield* opened
        yield* store.commit([ofNumbers("a", 1, 3)])
        const other = yield* OtherServer.make(filename, "begin immediate")
        const start = performance.now()
        const errors = [
          yield* Effect.flip(store.commit([ofNumbers("a", 4, 1)])),
          yield* Effect.flip(store.trim(a, 2)),
          yield* Effect.flip(store.remove(a)),
          yield* Effect.flip(store.sweep(0)),
          yield* Effect.flip(store.check)
        ]
        assert.ok(performance.now() - start < 5 * 300)
        assert.deepEqual(
          errors.map(({ reason }) => reason),
          ["Busy", "Busy", "Busy", "Busy", "Busy"]
        )
        assert.deepEqual(yield* seqs(store, a), [1, 2, 3])
        yield* other.kill
        yield* store.check
        yield* store.commit([ofNumbers("a", 4, 1)])
        assert.deepEqual(yield* seqs(store, a), [1, 2, 3, 4])
      })
  )

  it.scoped("keeps the WAL within 32 MiB however much is committed, also after one large commit", () =>
    Effect.gen(function* () {
      const { filename, store } = yield* opened
      for (let round = 0; round < 30; round++) yield* store.commit(large("a", round * 10 + 1, 10))
      assert.ok(walBytes(filename) < 24 * megabyte, `${walBytes(filename)} after many commits`)
      yield* store.commit(large("b", 1, 160))
      assert.ok(walBytes(filename) > 32 * megabyte)
      yield* store.commit(large("b", 161, 1))
      yield* store.commit(large("b", 162, 1))
      assert.ok(walBytes(filename) <= 32 * megabyte, `${walBytes(filename)} after a large commit`)
    })
  )

  it.scoped("gives the space of what was trimmed and removed to later events: the file does not grow for ever", () =>
    Effect.gen(function* () {
      const { pragma, store } = yield* opened
      const pages: Array<number> = []
      for (let round = 0; round < 6; round++) {
        yield* store.commit(large("a", round * 20 + 1, 20))
        yield* store.commit(Array.map(large("b", 1, 20), (batch) => ({ ...batch, epoch: `e${round}` })))
        while (yield* store.trim(a, round * 20 + 21));
        yield* store.remove(b)
        while (yield* store.sweep(0));
        pages.push(Number(pragma("page_count")))
      }
      assert.ok(Math.max(...pages) < 1.1 * (pages[0] ?? 0), `${pages}`)
    })
  )

  it.scoped("frees at most 500 rows and 4 MiB in one step", () =>
    Effect.gen(function* () {
      const { db, store } = yield* opened
      const rows = () => db.prepare<[], { rows: number }>("select count(*) as rows from batches").get()?.rows
      yield* store.commit(BatchFixture.singles("a", 1, 501))
      yield* store.commit(large("a", 502, 40))
      const left: Array<number | undefined> = []
      while (yield* store.trim(a, 542)) left.push(rows())
      assert.deepEqual([...left, rows()], [41, 24, 8, 0])
    })
  )

  it.effect("tells by its reason whether another try can help", () =>
    Effect.gen(function* () {
      const reason = (code: string) =>
        Effect.map(
          Effect.flip(
            attempt(() => {
              throw new SQLite.SqliteError("told", code)
            })
          ),
          (error) => error.reason
        )
      const codes = {
        Busy: ["SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED"],
        Full: ["SQLITE_FULL"],
        Corrupt: ["SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_NOTADB"],
        Unavailable: ["SQLITE_IOERR_WRITE", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_ERROR"]
      }
      for (const [expected, each] of Object.entries(codes)) {
        for (const code of each) assert.equal(yield* reason(code), expected, code)
      }
    })
  )

  it.effect("dies of what only a bug can cause", () =>
    Effect.gen(function* () {
      for (const bug of [new TypeError("of ours"), new SQLite.SqliteError("unique", "SQLITE_CONSTRAINT_UNIQUE")]) {
        const exit = yield* Effect.exit(
          attempt(() => {
            throw bug
          })
        )
        assert.deepEqual(exit, Exit.die(bug))
      }
    })
  )
})
