import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type SQLite from "better-sqlite3"
import { Context, Effect, Layer, type Scope } from "effect"
import { ConnectionJournal } from "../ConnectionJournal.ts"
import { EventStore } from "../EventStore.ts"
import { RetainedStore } from "../RetainedStore.ts"
import * as StoreOpenError from "../StoreOpenError.ts"
import * as Migrations from "./Migrations.ts"
import * as SqliteConnection from "./SqliteConnection.ts"
import * as SqliteConnectionJournal from "./SqliteConnectionJournal.ts"
import { attempt } from "./SqliteFailure.ts"
import * as SqliteLog from "./SqliteLog.ts"
import * as SqliteMessages from "./SqliteMessages.ts"
import * as SqliteOwnership from "./SqliteOwnership.ts"
import * as SqliteRetainedStore from "./SqliteRetainedStore.ts"
import * as SqliteRetention from "./SqliteRetention.ts"
import * as SqliteSessions from "./SqliteSessions.ts"

export type Options = SqliteConnection.Options

/** A connection to a migrated data file that this server owns, until the scope closes. */
export const open = (options: Options): Effect.Effect<SQLite.Database, StoreOpenError.StoreOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const filename = options.filename === ":memory:" ? yield* temporary : yield* resolved(options.filename)
    yield* SqliteOwnership.hold(filename)
    const db = yield* SqliteConnection.make({ ...options, filename })
    yield* Migrations.run(filename)
    return db
  })

/** One file has one name, and so one owner, whatever links lead to it. A file that does not exist yet has its own. */
const resolved = (filename: string) =>
  Effect.orElseSucceed(
    Effect.try(() => fs.realpathSync(filename)),
    () => filename
  )

/** `:memory:` is a file too, which goes with the scope: in SQLite's own sense each connection would have another database. */
const temporary = Effect.map(
  Effect.acquireRelease(
    Effect.try({
      try: () => fs.mkdtempSync(path.join(os.tmpdir(), "sluice-")),
      catch: (cause) => StoreOpenError.fromCause(":memory:", "cannot be opened", cause)
    }),
    (directory) => Effect.sync(() => fs.rmSync(directory, { recursive: true, force: true }))
  ),
  (directory) => path.join(directory, "log.db")
)

/** The store over `db`, a connection from `open`. One connection for all, so that reads see each commit at once. */
export const make = (db: SQLite.Database): typeof EventStore.Service => {
  const { commit, forget, readEvents, readPage } = SqliteLog.make(db)
  let parity = 0
  // An empty transaction succeeds on a full disk. The number is ours to use: the migrator has a table of its own.
  const check = db.transaction(() => {
    parity = 1 - parity
    db.pragma(`user_version = ${parity}`)
  })
  return EventStore.of({
    commit,
    readEvents,
    readPage,
    ...SqliteSessions.make(db, forget),
    ...SqliteRetention.make(db),
    ...SqliteMessages.make(db),
    check: attempt(() => check.immediate())
  })
}

/**
 * Log, journal and retained events in one file. Fails with a line for the operator when it cannot serve, or is in use by
 * another server.
 */
export const layer = (
  options: Options
): Layer.Layer<EventStore | ConnectionJournal | RetainedStore, StoreOpenError.StoreOpenError> =>
  Layer.scopedContext(
    Effect.map(open(options), (db) =>
      Context.make(EventStore, make(db)).pipe(
        Context.add(ConnectionJournal, SqliteConnectionJournal.make(db)),
        Context.add(RetainedStore, SqliteRetainedStore.make(db))
      )
    )
  )
