import type SQLite from "better-sqlite3"
import { Option, Schema } from "effect"
import { SessionId } from "../../domain/Session.ts"
import type { Stage, StoredMessage } from "../Message.ts"
import { attempt } from "./SqliteFailure.ts"

const decode = Schema.decodeUnknownSync(
  Schema.Struct({
    id: Schema.String,
    digest: Schema.String,
    seq: Schema.Int,
    stage: Schema.Literal("waiting", "begun", "done"),
    from: Schema.NullOr(Schema.String),
    token: Schema.NullOr(Schema.String),
    data: Schema.String
  })
)
const decodeIds = Schema.decodeUnknownSync(Schema.Array(SessionId))

const columns = 'message as id, digest, seq, stage, sender as "from", token, data'
const ofSession = "session = (select id from sessions where name = $session)"

/** The parts of `EventStore` about messages; see there. */
export const make = (db: SQLite.Database) => {
  const one = db.prepare<{ session: string; id: string }>(
    `select ${columns} from messages where ${ofSession} and message = $id`
  )
  const open = db.prepare<{ session: string; limit: number }>(
    `select ${columns} from messages where ${ofSession} and stage <> 'done' order by seq limit $limit`
  )
  const backlog = db.prepare<{ session: string }, { messages: number; bytes: number }>(
    `select count(*) as messages, coalesce(sum(bytes), 0) as bytes from messages where ${ofSession} and stage <> 'done'`
  )
  // The rows of a removed session, until they are swept, have no name.
  const sessions = db
    .prepare<{ after: string; limit: number }>(
      `select name from sessions where id in (select distinct session from messages where stage <> 'done')
       and name > $after order by name limit $limit`
    )
    .pluck()
  const move = db.prepare<{ session: string; epoch: string; id: string; stage: Stage }>(
    `update messages set stage = $stage, data = case $stage when 'done' then '' else data end
     where session = (select id from sessions where name = $session and epoch = $epoch) and message = $id`
  )
  const moveAll = db.transaction(
    (session: string, epoch: string, messages: ReadonlyArray<{ readonly id: string; readonly stage: Stage }>) => {
      for (const { id, stage } of messages) move.run({ session, epoch, id, stage })
    }
  )
  return {
    message: (session: string, id: string) =>
      attempt(
        (): Option.Option<StoredMessage> =>
          Option.map(Option.fromNullable(one.get({ session, id })), (row) => decode(row))
      ),
    openMessages: (session: string, limit: number) =>
      attempt((): ReadonlyArray<StoredMessage> => open.all({ session, limit }).map((row) => decode(row))),
    backlog: (session: string) => attempt(() => backlog.get({ session }) ?? { messages: 0, bytes: 0 }),
    withOpenMessages: ({ after = "", limit }: { readonly after?: string | undefined; readonly limit: number }) =>
      attempt(() => decodeIds(sessions.all({ after, limit }))),
    stage: (session: string, epoch: string, messages: ReadonlyArray<{ readonly id: string; readonly stage: Stage }>) =>
      attempt(() => moveAll.immediate(session, epoch, messages))
  }
}
