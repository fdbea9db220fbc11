import SQLite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import * as StoreOpenError from "../StoreOpenError.ts"

export interface Options {
  /** A path, or `:memory:` for a log that goes with the layer (tests). */
  readonly filename: string
  /** What an acknowledged append survives: a power cut (an fsync per commit), or the death of the process only (design §2). */
  readonly durability: "power" | "process"
}

/** Milliseconds. SQLite waits on the main thread, so the wait is short and the store writer tries again. */
const busyTimeout = 20
/** Pages of 4 KiB: fewer checkpoints let a page that is written often be copied back once (1,000 to 20,000: up to + 40 %). */
const checkpointPages = 4000
/** Bytes the WAL file is cut back to after a checkpoint, when one large transaction has made it longer. */
const walBytes = 32 * 1024 * 1024

const synchronous = { power: { level: 2, name: "FULL" }, process: { level: 1, name: "NORMAL" } } as const

const open = ({ filename }: Options) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => new SQLite(filename, { timeout: busyTimeout }),
      catch: (cause) => StoreOpenError.fromCause(filename, "cannot be opened", cause)
    }),
    (db) => Effect.sync(() => db.close())
  )

const configure = (db: SQLite.Database, { durability, filename }: Options) =>
  Effect.try({
    try: () => {
      const journal = db.pragma("journal_mode = WAL", { simple: true })
      db.pragma(`synchronous = ${synchronous[durability].name}`)
      db.pragma(`wal_autocheckpoint = ${checkpointPages}`)
      db.pragma(`journal_size_limit = ${walBytes}`)
      db.exec("begin immediate; rollback") // a file that may only be read fails here, not at the first append
      return { journal, level: db.pragma("synchronous", { simple: true }) }
    },
    catch: (cause) => StoreOpenError.fromCause(filename, "cannot be used", cause)
  })

/** The one connection that everything but the migrations goes through; closed with the scope. */
export const make = (options: Options): Effect.Effect<SQLite.Database, StoreOpenError.StoreOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const { durability, filename } = options
    const db = yield* open(options)
    const { journal, level } = yield* configure(db, options)
    // A file system without shared memory, or a build of SQLite with other defaults, may refuse them without an error.
    if (journal !== "wal" || level !== synchronous[durability].level) {
      const message =
        `${filename} cannot be used: journal_mode is ${journal} and synchronous ${level}, ` +
        `but durability=${durability} needs wal and ${synchronous[durability].level}`
      return yield* new StoreOpenError.StoreOpenError({ filename, message })
    }
    return db
  })
