import * as assert from "node:assert/strict"
import { Schema } from "effect"
import * as Cursor from "../../src/protocol/Cursor.ts"
import type { StreamEvent } from "../../src/testing/StreamClient.ts"

const decode = <A, I>(schema: Schema.Schema<A, I>) => Schema.decodeUnknownSync(Schema.parseJson(schema))
const Place = Schema.NullOr(Schema.String)
const Opened = Schema.Struct({ session: Schema.String, cursor: Place })
const hello = decode(Schema.Union(Schema.Struct({ sessions: Schema.Array(Opened) }), Opened))
const live = decode(Schema.Struct({ session: Schema.String, cursor: Place }))
const wrapped = decode(Schema.Struct({ session: Schema.String, seq: Schema.Number, data: Schema.String }))
const gap = decode(
  Schema.Struct({
    session: Schema.String,
    after: Schema.Number,
    next: Schema.Number,
    missed: Schema.NullOr(Schema.Number),
    reason: Schema.String
  })
)

/** What a client got on one stream of one session, as `wrapped` would say it. */
const message = (event: StreamEvent, only: string | undefined) =>
  only === undefined
    ? wrapped(event.data)
    : { session: only, seq: Cursor.parse(event.lastId)?.seq ?? -1, data: event.data }

export interface Gap {
  readonly session: string
  readonly next: number
  readonly reason: string
  /** Part of the opening: nothing of its session was said before. */
  readonly isOpening: boolean
}

export interface Reading {
  /** The number that must come next, by session. */
  readonly next: ReadonlyMap<string, number>
  readonly messages: ReadonlyArray<{ readonly session: string; readonly seq: number; readonly data: string }>
  readonly gaps: ReadonlyArray<Gap>
}

const seqOf = (cursor: string | null): number => (cursor === null ? 0 : (Cursor.parse(cursor)?.seq ?? -1))

/**
 * Promise 2, as an independent reader judges it: of each session every number once and in order, from `from` on (or where
 * hello says that the stream begins), or a gap that begins at its place and tells exactly what it leaves out; and
 * `sluice.live` only where the reader is. `only` names the session of a stream over a single one.
 */
export const read = (
  events: ReadonlyArray<StreamEvent>,
  from: ReadonlyMap<string, number | undefined>,
  only?: string
): Reading => {
  const next = new Map<string, number>()
  const messages: Array<Reading["messages"][number]> = []
  const gaps: Array<Gap> = []
  const begun = new Set<string>()
  for (const event of events) {
    if (event.name === "sluice.hello") {
      const said = hello(event.data)
      for (const { cursor, session } of "sessions" in said ? said.sessions : [said]) {
        next.set(session, (from.get(session) ?? seqOf(cursor)) + 1)
      }
    } else if (event.name === "sluice.gap") {
      const said = gap(event.data)
      assert.equal(said.after + 1, next.get(said.session), "a gap begins at the reader's place")
      assert.ok(said.next > said.after + 1, "a gap leaves something out")
      assert.equal(said.missed, said.next - said.after - 1)
      next.set(said.session, said.next)
      gaps.push({ ...said, isOpening: !begun.has(said.session) })
      begun.add(said.session)
    } else if (event.name === "sluice.live") {
      const { cursor, session } = live(event.data)
      assert.equal(seqOf(cursor) + 1, next.get(session), "live at the reader's place")
      begun.add(session)
    } else if (!event.name.startsWith("sluice.")) {
      const { data, seq, session } = message(event, only)
      assert.equal(seq, next.get(session), `the next event of ${session}`)
      next.set(session, seq + 1)
      begun.add(session)
      messages.push({ session, seq, data })
    }
  }
  return { next, messages, gaps }
}
