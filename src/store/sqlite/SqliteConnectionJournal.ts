import type SQLite from "better-sqlite3"
import { Schema } from "effect"
import { disconnectReasons } from "../../domain/Connection.ts"
import { ConnectionJournal, type JournalChange } from "../ConnectionJournal.ts"
import * as Piece from "../Piece.ts"
import { attempt } from "./SqliteFailure.ts"

const isOpen = "reason is null"
const isOwed = "reason is not null and died_at is null"
const isDead = "died_at is not null"

const owedFields = {
  token: Schema.String,
  request: Schema.String,
  reason: Schema.Literal(...disconnectReasons),
  owedAt: Schema.Int
}
const deadFields = { ...owedFields, attempts: Schema.Int, problem: Schema.String, diedAt: Schema.Int }

/** What the columns hold is checked, as anyone may have changed the file. */
const decodeOwed = Schema.decodeUnknownSync(Schema.Array(Schema.Struct(owedFields)))
const decodeDead = Schema.decodeUnknownSync(Schema.Array(Schema.Struct(deadFields)))

const writer = (db: SQLite.Database) => {
  const connect = db.prepare<[string, string]>(
    "insert into connections (token, request) values (?, ?) on conflict do nothing"
  )
  const forget = db.prepare<[string]>("delete from connections where token = ?")
  const owe = db.prepare<[string, number, string]>(
    `update connections set reason = ?, owed_at = ? where token = ? and ${isOpen}`
  )
  const giveUp = db.prepare<[number, string, number, string]>(
    `update connections set attempts = ?, problem = ?, died_at = ? where token = ? and ${isOwed}`
  )
  const revive = db.prepare<[number, string]>(
    `update connections set owed_at = ?, attempts = null, problem = null, died_at = null where token = ? and ${isDead}`
  )
  const write = (change: JournalChange): SQLite.RunResult => {
    switch (change._tag) {
      case "Connect":
        return connect.run(change.token, change.request)
      case "Forget":
        return forget.run(change.token)
      case "Owe":
        return owe.run(change.reason, change.at, change.token)
      case "GiveUp":
        return giveUp.run(change.attempts, change.problem, change.at, change.token)
      case "Revive":
        return revive.run(change.at, change.token)
    }
  }
  const all = db.transaction((changes: ReadonlyArray<JournalChange>) => {
    for (const change of changes) write(change)
  })
  return all.immediate
}

/** Goes through the table once, in pieces: an index of what is open would dirty another page per connect and per end. */
const orphaner = (db: SQLite.Database) => {
  const endOfPiece = db
    .prepare<[number, number], number>("select id from connections where id > ? order by id limit 1 offset ?")
    .pluck()
  const owe = db.prepare<{ at: number; after: number; last: number }>(
    `update connections set reason = 'error', owed_at = $at where id > $after and id <= $last and ${isOpen}`
  )
  const piece = db.transaction((at: number, after: number): number | undefined => {
    const last = endOfPiece.get(after, Piece.maxRows - 1)
    owe.run({ at, after, last: last ?? Number.MAX_SAFE_INTEGER })
    return last
  })
  let done = 0
  return (at: number): boolean => {
    const last = piece.immediate(at, done)
    done = last ?? 0
    return last !== undefined
  }
}

/** The journal over `db`, a connection from `SqliteStore.open`. */
export const make = (db: SQLite.Database): typeof ConnectionJournal.Service => {
  const write = writer(db)
  const orphan = orphaner(db)
  const owed = db.prepare<[number]>(
    `select token, request, reason, owed_at as owedAt from connections
     where ${isOwed} order by owed_at, token limit ?`
  )
  const dead = db.prepare<[string, number]>(
    `select token, request, reason, owed_at as owedAt, attempts, problem, died_at as diedAt from connections
     where ${isDead} and token > ? order by token limit ?`
  )
  const sweep = db.prepare<[number, number]>(
    "delete from connections where id in (select id from connections where died_at < ? limit ?)"
  )
  return ConnectionJournal.of({
    commit: (changes) => attempt(() => write(changes)),
    orphan: (at) => attempt(() => orphan(at)),
    owed: (limit) => attempt(() => decodeOwed(owed.all(limit))),
    dead: ({ after = "", limit }) => attempt(() => decodeDead(dead.all(after, limit))),
    sweepDead: (cutoff) => attempt(() => sweep.run(cutoff, Piece.maxRows).changes === Piece.maxRows)
  })
}
