/**
 * The log itself (hot path): commits batches and reads pages, over prepared statements of better-sqlite3.
 *
 * A statement through effect-sql costs 15 to 50 µs (compile, cache, semaphore, span); a batch costs 6 µs here, its
 * statement included (1,000 sessions in a commit). It also has no way to stop reading in the middle of a result, and
 * rows have 256 KiB and more.
 */
import type SQLite from "better-sqlite3"
import { Effect, type Option } from "effect"
import type { Event } from "../../domain/Event.ts"
import type { StoreError } from "../../domain/SessionError.ts"
import type { Batch } from "../Batch.ts"
import * as BatchRow from "../BatchRow.ts"
import type { EventRange, Page } from "../EventStore.ts"
import * as RowReader from "../RowReader.ts"
import * as LogHeads from "./LogHeads.ts"
import { attempt } from "./SqliteFailure.ts"

const writer = (db: SQLite.Database, heads: LogHeads.LogHeads) => {
  const create = db.prepare<[string, string, number, number, number, number]>(
    `insert into sessions (name, epoch, state, oldest, created_at, updated_at, state_at)
     values (?, ?, 'CREATED', ?, ?, ?, ?)`
  )
  const append = db.prepare<[number, number, number, number, Buffer, string | null]>(
    "insert into batches (session, first, last, at, frames, exact) values (?, ?, ?, ?, ?, ?)"
  )
  const receive = db.prepare<[number, string, string, number, number, number, number]>(
    "insert or replace into receipts (session, key, digest, first, last, head, at) values (?, ?, ?, ?, ?, ?, ?)"
  )
  const accept = db.prepare<[number, string, string, number, string | null, string | null, number, string]>(
    `insert into messages (session, message, digest, seq, stage, sender, token, bytes, data)
     values (?, ?, ?, ?, 'waiting', ?, ?, ?, ?)`
  )
  const settle = db.prepare<[number, string]>(
    "update messages set stage = 'done', data = '' where session = ? and message = ?"
  )
  const move = db.prepare<{ id: number; state: string; process: string | null; at: number }>(
    `update sessions set state_at = case state when $state then state_at else $at end, state = $state, process = $process
     where id = $id`
  )
  const all = db.transaction((batches: ReadonlyArray<Batch>) => {
    for (const batch of batches) {
      const { at, epoch, first, session } = batch
      if (batch.creates) create.run(session, epoch, first, at, at, at)
      const id = heads.advance(batch)
      const row = BatchRow.fromBatch(batch)
      append.run(id, first, row.last, at, row.frames, row.exact)
      for (const receipt of batch.receipts) {
        receive.run(id, receipt.key, receipt.digest, receipt.first, receipt.last, receipt.head, at)
      }
      for (const { data, digest, from, id: message, seq, token } of batch.messages) {
        accept.run(id, message, digest, seq, from, token, Buffer.byteLength(data), data)
      }
      for (const message of batch.settled) settle.run(id, message)
      if (batch.standing !== undefined) move.run({ id, at, ...batch.standing })
    }
  })
  return all.immediate
}

const reader = (db: SQLite.Database) => {
  const log = db.prepare<[string], { id: number; oldest: number }>("select id, oldest from sessions where name = ?")
  const pageRows = db.prepare<[number, number], Pick<BatchRow.BatchRow, "first" | "last" | "frames">>(
    "select first, last, frames from batches where session = ? and last > ? order by last"
  )
  const ascending = db.prepare<[number, number], BatchRow.BatchRow>(
    "select first, last, at, frames, exact from batches where session = ? and last > ? order by last"
  )
  // From the row that holds `before - 1`, or from the last one.
  const descending = db.prepare<{ id: number; after: number; before: number }, BatchRow.BatchRow>(
    `select first, last, at, frames, exact from batches where session = $id and last > $after and last <= coalesce(
       (select last from batches where session = $id and last >= $before - 1 order by last limit 1), $before
     ) order by last desc`
  )
  return {
    page: (session: string, after: number, limit: number): Option.Option<Page> => {
      const found = log.get(session)
      const from = Math.max(after, (found?.oldest ?? 1) - 1)
      return RowReader.page(found === undefined ? [] : pageRows.iterate(found.id, from), from, limit)
    },
    events: (session: string, range: EventRange): ReadonlyArray<Event> => {
      const found = log.get(session)
      if (found === undefined) return []
      const { before, order } = range
      const after = Math.max(range.after, found.oldest - 1)
      const rows =
        order === "asc" ? ascending.iterate(found.id, after) : descending.iterate({ id: found.id, after, before })
      return RowReader.events(rows, { ...range, after })
    }
  }
}

/** The parts of `EventStore` that touch events; see there. `db` is used by nobody else meanwhile. */
export const make = (db: SQLite.Database) => {
  const heads = LogHeads.make(db)
  const write = writer(db, heads)
  const read = reader(db)
  return {
    // What was rolled back is not the head.
    commit: (batches: ReadonlyArray<Batch>): Effect.Effect<void, StoreError> =>
      Effect.tapErrorCause(
        attempt(() => write(batches)),
        () => Effect.sync(heads.forget)
      ),
    readPage: (session: string, after: number, limit: number): Effect.Effect<Option.Option<Page>, StoreError> =>
      attempt(() => read.page(session, after, limit)),
    readEvents: (session: string, range: EventRange): Effect.Effect<ReadonlyArray<Event>, StoreError> =>
      attempt(() => read.events(session, range)),
    forget: heads.forget
  }
}
