import * as assert from "node:assert/strict"
import * as fs from "node:fs"
import { describe, it } from "@effect/vitest"
import SQLite from "better-sqlite3"
import { Effect, Layer } from "effect"
import { EventStore } from "../../src/store/EventStore.ts"
import * as SqliteConnection from "../../src/store/sqlite/SqliteConnection.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { StoreOpenError } from "../../src/store/StoreOpenError.ts"
import * as BatchFixture from "../../src/testing/BatchFixture.ts"
import { a, fromTo, seqs } from "../../src/testing/eventStore/Rule.ts"
import * as OtherServer from "./OtherServer.ts"
import * as TemporaryFile from "./TemporaryFile.ts"

const { ofNumbers } = BatchFixture
const layer = (filename: string) => SqliteStore.layer({ filename, durability: "power" })

/** The line that the operator reads when the store refuses `filename`. */
const refusal = (filename: string) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(layer(filename)))), (error) => {
    assert.ok(error instanceof StoreOpenError)
    assert.equal(error.filename, filename)
    return error.message.replaceAll(filename, "FILE")
  })

const withDatabase = (filename: string, sql: string) =>
  Effect.sync(() => {
    const db = new SQLite(filename)
    db.exec(sql)
    db.close()
  })

describe("opening a SqliteStore", () => {
  for (const [durability, level] of [
    ["power", 2],
    ["process", 1]
  ] as const) {
    // promise 1
    it.scoped(`syncs as durability=${durability} needs, in WAL mode, and waits for no lock longer than 20 ms`, () =>
      Effect.gen(function* () {
        const db = yield* SqliteStore.open({ filename: yield* TemporaryFile.make, durability })
        const pragma = (name: string) => db.pragma(name, { simple: true })
        assert.deepEqual(
          ["journal_mode", "synchronous", "busy_timeout", "wal_autocheckpoint", "journal_size_limit"].map(pragma),
          ["wal", level, 20, 4000, 33_554_432]
        )
      })
    )
  }

  it.scoped("has one owner for a file, whatever links lead to it", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* Layer.build(layer(filename))
      const link = `${filename}.link`
      fs.symlinkSync(filename, link)
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer(link))))
      assert.match(error.message, /is in use by another server/)
    })
  )

  it.scoped("finds everything again that was committed, removed and trimmed", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      const before = yield* Effect.provide(
        Effect.gen(function* () {
          const store = yield* EventStore
          const receipts = [{ key: "k", digest: "d", first: 1, last: 5, head: 5 }]
          yield* store.commit([ofNumbers("a", 1, 5, { receipts }), ofNumbers("b", 1, 1), ofNumbers("c", 1, 2)])
          yield* store.trim(a, 3)
          yield* store.remove(ofNumbers("b", 1, 1).session)
          return yield* Effect.all([store.list({ limit: 10 }), store.receipt(a, "k"), store.readPage(a, 0, 10)])
        }),
        layer(filename)
      )
      yield* Effect.provide(
        Effect.gen(function* () {
          const store = yield* EventStore
          const found = yield* Effect.all([store.list({ limit: 10 }), store.receipt(a, "k"), store.readPage(a, 0, 10)])
          assert.deepEqual(found, before)
          yield* store.commit([ofNumbers("a", 6, 2)])
          assert.deepEqual(yield* seqs(store, a), fromTo(3, 7))
        }),
        layer(filename)
      )
    })
  )

  it.scoped("refuses a file that another server of this process has, until that one is closed", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      const line = yield* Effect.provide(refusal(filename), layer(filename))
      assert.equal(line, "FILE is in use by another server")
      yield* Effect.provide(
        Effect.flatMap(EventStore, (store) => store.check),
        layer(filename)
      )
    })
  )

  it.scoped("refuses a file that another process has, and takes it when that one was killed with SIGKILL", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      const other = yield* OtherServer.make(`${filename}.lock`, "begin exclusive")
      assert.equal(yield* refusal(filename), "FILE is in use by another server")
      yield* other.kill
      yield* Effect.provide(
        Effect.flatMap(EventStore, (store) => store.check),
        layer(filename)
      )
    })
  )

  it.scoped("keeps other processes from taking its file", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* SqliteStore.open({ filename, durability: "power" })
      const taken = yield* Effect.exit(OtherServer.make(`${filename}.lock`, "begin exclusive"))
      assert.equal(taken._tag, "Failure")
    })
  )

  it.scoped("refuses a file that is not a database", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      fs.writeFileSync(filename, "These are minutes of a meeting, not a database.\n".repeat(200))
      assert.equal(yield* refusal(filename), "FILE cannot be used: file is not a database")
    })
  )

  it.scoped("refuses a path that cannot be a file", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      fs.mkdirSync(filename)
      assert.equal(yield* refusal(filename), "FILE cannot be opened: unable to open database file")
      assert.match(yield* refusal(`${filename}/no/such.db`), /^FILE cannot be locked: .*directory does not exist$/)
    })
  )

  it.scoped("refuses a database of another application", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* withDatabase(filename, "create table sessions (id text)")
      assert.match(yield* refusal(filename), /^FILE cannot be brought up to date: .*table sessions already exists$/)
    })
  )

  it.scoped("refuses a file that a newer version has written, instead of misreading it", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      yield* Effect.scoped(Layer.build(layer(filename)))
      yield* withDatabase(filename, "insert into migrations (migration_id, name) values (99, 'of_tomorrow')")
      assert.equal(yield* refusal(filename), "FILE was written by a newer version of the server")
    })
  )

  it.scoped("refuses a file on which WAL mode cannot be had", () =>
    Effect.gen(function* () {
      const message = (yield* Effect.flip(SqliteConnection.make({ filename: ":memory:", durability: "power" }))).message
      assert.match(message, /journal_mode is memory and synchronous 2, but durability=power needs wal and 2$/)
    })
  )

  it.scoped("keeps `:memory:` in a file that goes with it, so that two of them do not meet", () =>
    Effect.gen(function* () {
      const db = yield* Effect.scoped(
        Effect.gen(function* () {
          const [one, other] = yield* Effect.all([
            SqliteStore.open({ filename: ":memory:", durability: "process" }),
            SqliteStore.open({ filename: ":memory:", durability: "process" })
          ])
          assert.ok(fs.existsSync(one.name) && one.name !== other.name)
          return one
        })
      )
      assert.deepEqual([db.open, fs.existsSync(db.name)], [false, false])
    })
  )
})
