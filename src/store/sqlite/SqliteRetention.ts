import type SQLite from "better-sqlite3"
import { Option, Schema } from "effect"
import { SessionId } from "../../domain/Session.ts"
import * as Piece from "../Piece.ts"
import { attempt } from "./SqliteFailure.ts"

const decodeExpired = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ session: SessionId, oldest: Schema.Int })))

/** Frees batches of one session from its beginning, one piece at a time. True when more is left below `end`. */
const batchesBelow = (db: SQLite.Database) => {
  // `length` of a blob is known without reading it.
  const oldest = db.prepare<[number, number, number], { last: number; bytes: number }>(
    "select last, length(frames) as bytes from batches where session = ? and last < ? order by last limit ?"
  )
  const free = db.prepare<[number, number]>("delete from batches where session = ? and last <= ?")
  return (session: number, end: number): boolean => {
    const rows = oldest.all(session, end, Piece.maxRows + 1)
    let until: number | undefined
    let bytes = 0
    let count = 0
    for (const row of rows) {
      bytes += row.bytes
      if (count > 0 && (count === Piece.maxRows || bytes > Piece.maxBytes)) break
      until = row.last
      count += 1
    }
    if (until !== undefined) free.run(session, until)
    return count < rows.length
  }
}

const trimmer = (db: SQLite.Database) => {
  const freeBelow = batchesBelow(db)
  const find = db.prepare<[string], { id: number; oldest: number; head: number; at: number }>(
    `select id, oldest,
       coalesce((select max(last) from batches where session = sessions.id), oldest - 1) as head,
       coalesce((select at from batches where session = sessions.id order by last desc limit 1), 0) as at
     from sessions where name = ?`
  )
  // The time of the newest batch is kept: the batch itself may be among those that go.
  const raise = db.prepare<{ id: number; oldest: number; at: number }>(
    "update sessions set oldest = $oldest, updated_at = max(updated_at, $at) where id = $id"
  )
  return db.transaction((session: string, wanted: number): boolean => {
    const found = find.get(session)
    if (found === undefined) return false
    // Never beyond the head: with no batch left, `oldest` alone remembers which numbers were given.
    const oldest = Math.min(Math.max(wanted, found.oldest), found.head + 1)
    if (oldest > found.oldest) raise.run({ id: found.id, oldest, at: found.at })
    return freeBelow(found.id, oldest)
  })
}

const sweeper = (db: SQLite.Database) => {
  const freeBelow = batchesBelow(db)
  const removed = db.prepare<[], { session: number }>("select session from garbage order by session limit 1")
  const freeReceipts = db.prepare<[number, number]>(
    "delete from receipts where id in (select id from receipts where session = ? limit ?)"
  )
  const freeMessages = db.prepare<[number, number]>(
    "delete from messages where id in (select id from messages where session = ? limit ?)"
  )
  const forget = db.prepare<[number]>("delete from garbage where session = ?")
  const freeOld = db.prepare<[number, number]>(
    "delete from receipts where id in (select id from receipts order by id limit ?) and at < ?"
  )
  const removedSession = (): boolean => {
    const found = removed.get()
    if (found === undefined) return false
    if (freeBelow(found.session, Number.MAX_SAFE_INTEGER)) return true
    if (freeReceipts.run(found.session, Piece.maxRows).changes === Piece.maxRows) return true
    if (freeMessages.run(found.session, Piece.maxRows).changes === Piece.maxRows) return true
    forget.run(found.session)
    return removed.get() !== undefined
  }
  return db.transaction((cutoff: number): boolean => {
    const isMoreRemoved = removedSession()
    return freeOld.run(Piece.maxRows, cutoff).changes === Piece.maxRows || isMoreRemoved
  })
}

/** The parts of `EventStore` that free space; see there. */
export const make = (db: SQLite.Database) => {
  // The order of `id` is the order of commits. A session without a name is removed: `sweep` frees it.
  const expired = db.prepare<{ cutoff: number; rows: number }>(
    `select name as session, max(sessions.oldest, max(last) + 1) as oldest
     from (select session, last, at from batches order by id limit $rows) as piece
     join sessions on sessions.id = piece.session
     where piece.at < $cutoff group by sessions.id`
  )
  const oldestEvent = db.prepare<[], { at: number }>("select at from batches order by id limit 1")
  const oldestReceipt = db.prepare<[], { at: number }>("select at from receipts order by id limit 1")
  const atOf = (row: { at: number } | undefined) => Option.map(Option.fromNullable(row), ({ at }) => at)
  const trim = trimmer(db)
  const sweep = sweeper(db)
  return {
    trim: (session: string, oldest: number) => attempt(() => trim.immediate(session, oldest)),
    expired: (cutoff: number) => attempt(() => decodeExpired(expired.all({ cutoff, rows: Piece.maxRows }))),
    sweep: (cutoff: number) => attempt(() => sweep.immediate(cutoff)),
    oldest: attempt(() => ({ event: atOf(oldestEvent.get()), receipt: atOf(oldestReceipt.get()) }))
  }
}
