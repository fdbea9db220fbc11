import type SQLite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import type { NewEvent } from "../../domain/Event.ts"
import { RetainedKey } from "../../domain/RetainedEvent.ts"
import type { InvalidRequest } from "../../domain/SessionError.ts"
import * as RetainedBounds from "../RetainedBounds.ts"
import { RetainedStore } from "../RetainedStore.ts"
import { attempt } from "./SqliteFailure.ts"

/** What the columns hold is checked, as anyone may have changed the file. */
const decode = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ key: RetainedKey, name: Schema.String, data: Schema.String, at: Schema.Int }))
)

/** Checks the bounds and writes, in one transaction. */
const writer = (db: SQLite.Database) => {
  const others = db.prepare<[string], { readonly keys: number; readonly bytes: number }>(
    "select count(*) as keys, coalesce(sum(bytes), 0) as bytes from retained where key <> ?"
  )
  const upsert = db.prepare<[string, number, number, string, string]>(
    `insert into retained (key, at, bytes, name, data) values (?, ?, ?, ?, ?)
     on conflict (key) do update set at = excluded.at, bytes = excluded.bytes, name = excluded.name, data = excluded.data`
  )
  const put = db.transaction((key: string, event: NewEvent, at: number): InvalidRequest | undefined => {
    const size = RetainedBounds.bytesOf(key, event)
    const { bytes, keys } = others.get(key) ?? { bytes: 0, keys: 0 }
    const problem = RetainedBounds.problem(keys + 1, bytes + size)
    if (problem === undefined) upsert.run(key, at, size, event.name, event.data)
    return problem
  })
  return put.immediate
}

/** The retained events of `db`, a connection from `SqliteStore.open`. */
export const make = (db: SQLite.Database): typeof RetainedStore.Service => {
  const put = writer(db)
  const get = db.prepare<[string]>("select key, name, data, at from retained where key = ?")
  const all = db.prepare<[]>("select key, name, data, at from retained order by key")
  const remove = db.prepare<[string]>("delete from retained where key = ?")
  return RetainedStore.of({
    put: (key, event, at) =>
      Effect.flatMap(
        attempt(() => put(key, event, at)),
        (problem) => problem ?? Effect.void
      ),
    get: (key) => attempt(() => Option.fromNullable(decode(get.all(key))[0])),
    remove: (key) => attempt(() => remove.run(key).changes > 0),
    all: attempt(() => decode(all.all()))
  })
}
