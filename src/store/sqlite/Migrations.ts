import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqliteMigrator from "@effect/sql-sqlite-node/SqliteMigrator"
import { Cause, Effect, Layer } from "effect"
import * as StoreOpenError from "../StoreOpenError.ts"

/**
 * `autoincrement`: the id of a removed session is never given again, so its rows, until swept, belong to no one.
 * `batches` is append-only with an integer key and a separate index: 130 k rows/s, against 65 to 87 k for a key clustered
 * by (session, seq). Its columns before `frames` are read without touching the overflow pages of a long row.
 * The head and the time of the last commit are not columns of `sessions`: writing them would dirty another page per commit.
 */
const init = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table sessions (
    id integer primary key autoincrement,
    name text not null unique,
    epoch text not null,
    state text not null,
    oldest integer not null,
    created_at integer not null,
    updated_at integer not null
  ) strict`
  yield* sql`create table batches (
    id integer primary key,
    session integer not null,
    first integer not null,
    last integer not null,
    at integer not null,
    frames blob not null,
    exact text
  ) strict`
  yield* sql`create unique index batches_by_seq on batches (session, last)`
  yield* sql`create table receipts (
    id integer primary key,
    session integer not null,
    key text not null,
    digest text not null,
    first integer not null,
    last integer not null,
    head integer not null,
    at integer not null
  ) strict`
  yield* sql`create unique index receipts_by_key on receipts (session, key)`
  yield* sql`create table garbage (session integer primary key) strict`
})

/**
 * Open: no `reason`; owed: a `reason`; dead: `died_at`. Tokens are random, so a table clustered by them would dirty a leaf
 * per row: with an integer key and a separate index 100 connects dirty 130 to 170 pages, not 240 to 360. The last column is
 * the long one: those before it are read without touching its overflow pages.
 */
const connections = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table connections (
    id integer primary key,
    token text not null unique,
    reason text,
    owed_at integer,
    attempts integer,
    problem text,
    died_at integer,
    request text not null
  ) strict`
  yield* sql`create index connections_owed on connections (owed_at, token) where reason is not null and died_at is null`
  yield* sql`create index connections_dead on connections (token) where died_at is not null`
  yield* sql`create index connections_died on connections (died_at) where died_at is not null`
})

/** `bytes` is what its key, name and data weigh: added up without touching the overflow pages of `data`. */
const retained = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table retained (
    key text primary key,
    at integer not null,
    bytes integer not null,
    name text not null,
    data text not null
  ) strict`
})

/**
 * What a process needs to be recovered, and the messages for it. The index by state leaves out the state in which every session
 * begins, so that creating one writes no page more. The last column of `messages` is the long one.
 */
const processes = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`alter table sessions add column state_at integer not null default 0`
  yield* sql`alter table sessions add column process text`
  yield* sql`update sessions set state_at = updated_at`
  yield* sql`create index sessions_by_state on sessions (state, name) where state <> 'CREATED'`
  yield* sql`create index sessions_with_process on sessions (name) where process is not null`
  yield* sql`create table messages (
    id integer primary key,
    session integer not null,
    message text not null,
    digest text not null,
    seq integer not null,
    stage text not null,
    sender text,
    token text,
    bytes integer not null,
    data text not null
  ) strict`
  yield* sql`create unique index messages_by_id on messages (session, message)`
  yield* sql`create index messages_open on messages (session, seq) where stage <> 'done'`
})

const migrations = {
  "0001_init": init,
  "0002_connections": connections,
  "0003_retained": retained,
  "0004_processes": processes
}

const migrate = Effect.gen(function* () {
  yield* SqliteMigrator.run({ loader: SqliteMigrator.fromRecord(migrations), table: "migrations" })
  const sql = yield* SqlClient.SqlClient
  return yield* sql<{ applied: number }>`select count(*) as applied from migrations`
})

/**
 * Brings the schema of `filename` up to date, over a connection of its own that is closed again. The file was opened
 * before, so what fails here (a defect included: the migrator makes them) means a database that is not ours.
 */
export const run = (filename: string): Effect.Effect<void, StoreOpenError.StoreOpenError> =>
  migrate.pipe(
    Effect.provide(Layer.merge(SqliteClient.layer({ filename }), NodeContext.layer)),
    Effect.sandbox,
    Effect.mapError((cause) => StoreOpenError.fromCause(filename, "cannot be brought up to date", Cause.squash(cause))),
    Effect.filterOrFail(
      ([row]) => row?.applied === Object.keys(migrations).length,
      () =>
        new StoreOpenError.StoreOpenError({
          filename,
          message: `${filename} was written by a newer version of the server`
        })
    ),
    Effect.asVoid
  )
