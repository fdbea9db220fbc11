import SQLite from "better-sqlite3"
import { Effect, type Scope } from "effect"
import * as StoreOpenError from "../StoreOpenError.ts"

const refusal = (filename: string, cause: unknown): StoreOpenError.StoreOpenError => {
  const isHeld = cause instanceof SQLite.SqliteError && cause.code.startsWith("SQLITE_BUSY")
  return isHeld
    ? new StoreOpenError.StoreOpenError({ filename, cause, message: `${filename} is in use by another server` })
    : StoreOpenError.fromCause(filename, "cannot be locked", cause)
}

/**
 * One server owns a data file (design §3): holds an exclusive lock on `FILE.lock` until the scope closes.
 * The lock is the operating system's, so it goes with a process that is killed, and a stale file locks no one out.
 */
export const hold = (filename: string): Effect.Effect<void, StoreOpenError.StoreOpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const lock = yield* Effect.acquireRelease(
      Effect.try({
        try: () => new SQLite(`${filename}.lock`, { timeout: 0 }),
        catch: (cause) => refusal(filename, cause)
      }),
      (db) => Effect.sync(() => db.close())
    )
    yield* Effect.try({ try: () => lock.exec("begin exclusive"), catch: (cause) => refusal(filename, cause) })
  })
