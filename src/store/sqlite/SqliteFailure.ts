import SQLite from "better-sqlite3"
import { Effect } from "effect"
import { StoreError } from "../../domain/SessionError.ts"

const reasonOf = (code: string): StoreError["reason"] | "Bug" => {
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) return "Busy"
  if (code === "SQLITE_FULL") return "Full"
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return "Corrupt"
  // A batch that does not continue its log. Another try cannot help, and "Unavailable" would promise that.
  if (code.startsWith("SQLITE_CONSTRAINT")) return "Bug"
  return "Unavailable"
}

/** Runs `work` and types what SQLite reports. Whatever else it throws, a violated constraint included, is a defect. */
export const attempt = <A>(work: () => A): Effect.Effect<A, StoreError> =>
  Effect.catchAll(Effect.try(work), ({ error: cause }) => {
    if (!(cause instanceof SQLite.SqliteError)) return Effect.die(cause)
    const reason = reasonOf(cause.code)
    return reason === "Bug" ? Effect.die(cause) : Effect.fail(new StoreError({ reason, cause }))
  })
