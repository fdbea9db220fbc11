import type SQLite from "better-sqlite3"
import { Effect, Option, Schema } from "effect"
import { SessionId, SessionState } from "../../domain/Session.ts"
import type { Receipt } from "../Batch.ts"
import type { SessionRecord } from "../EventStore.ts"
import { attempt } from "./SqliteFailure.ts"

/** `head` and `updatedAt` are told by the newest batch: nothing of a session is written per commit (see `Migrations`). */
const columns = `name as session, epoch, state, oldest, created_at as createdAt,
  state_at as stateAt, process,
  coalesce((select max(last) from batches where session = sessions.id), oldest - 1) as head,
  max(updated_at, coalesce((select at from batches where session = sessions.id order by last desc limit 1), 0)) as updatedAt`

/** What the columns hold is checked, as anyone may have changed the file. */
const decode = Schema.decodeUnknownSync(
  Schema.Struct({
    session: SessionId,
    epoch: Schema.String,
    state: SessionState,
    oldest: Schema.Int,
    head: Schema.Int,
    createdAt: Schema.Int,
    updatedAt: Schema.Int,
    stateAt: Schema.Int,
    process: Schema.NullOr(Schema.String)
  })
)

/** The parts of `EventStore` about whole sessions; see there. `forget` is called when one was removed. */
export const make = (db: SQLite.Database, forget: () => void) => {
  const one = db.prepare<[string]>(`select ${columns} from sessions where name = ?`)
  const page = <P>(where: string) =>
    db.prepare<P & { after: string; limit: number }>(
      `select ${columns} from sessions where ${where} and name > $after order by name limit $limit`
    )
  const all = page<object>("true")
  const created = page<object>("state = 'CREATED'")
  // The second condition is the one of the index.
  const inState = page<{ state: string }>("state = $state and state <> 'CREATED'")
  const withProcess = page<object>("process is not null")
  const receipt = db.prepare<[string, string], Receipt>(
    `select key, digest, first, last, head from receipts
     where session = (select id from sessions where name = ?) and key = ?`
  )
  const discard = db.prepare<[string]>("insert into garbage (session) select id from sessions where name = ?")
  const drop = db.prepare<[string]>("delete from sessions where name = ?")
  const remove = db.transaction((session: string) => {
    discard.run(session)
    return drop.run(session).changes > 0
  })
  return {
    load: (session: string) =>
      attempt(
        (): Option.Option<SessionRecord> => Option.map(Option.fromNullable(one.get(session)), (row) => decode(row))
      ),
    list: (query: {
      readonly state?: SessionState | undefined
      readonly hasProcess?: true | undefined
      readonly after?: string | undefined
      readonly limit: number
    }) =>
      attempt((): ReadonlyArray<SessionRecord> => {
        const { after = "", hasProcess, limit, state } = query
        const bounds = { after, limit }
        if (hasProcess) return withProcess.all(bounds).map((row) => decode(row))
        if (state === undefined) return all.all(bounds).map((row) => decode(row))
        const rows = state === "CREATED" ? created.all(bounds) : inState.all({ ...bounds, state })
        return rows.map((row) => decode(row))
      }),
    receipt: (session: string, key: string) => attempt(() => Option.fromNullable(receipt.get(session, key))),
    remove: (session: string) =>
      Effect.tap(
        attempt(() => remove.immediate(session)),
        () => Effect.sync(forget)
      )
  }
}
