import * as assert from "node:assert/strict"
import { Effect, Option } from "effect"
import { SessionId } from "../../domain/Session.ts"
import type { StoreError } from "../../domain/SessionError.ts"
import { EventStore, type EventRange, type Page } from "../../store/EventStore.ts"
import * as Frames from "../../store/Frames.ts"

export type Store = typeof EventStore.Service

/** One thing that every store does. `holds` begins with an empty store and dies when the store does otherwise. */
export interface Rule {
  readonly says: string
  readonly holds: Effect.Effect<void, StoreError, EventStore>
}

export const rule = (says: string, holds: (store: Store) => Effect.Effect<void, StoreError>): Rule => ({
  says,
  holds: Effect.flatMap(EventStore, holds)
})

export const a = SessionId.make("a")
export const b = SessionId.make("b")

/** All events, in order. */
export const all: EventRange = { after: 0, before: Number.MAX_SAFE_INTEGER, limit: 10_000, order: "asc" }

/** What is kept of a session: the events that any reader can still get. */
export const seqs = (store: Store, session: SessionId, range: Partial<EventRange> = {}) =>
  Effect.map(store.readEvents(session, { ...all, ...range }), (events) => events.map(({ seq }) => seq))

export const fromTo = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

export const text = (page: Page): string => Frames.bytes(page.frames).toString()

/** Asserts a page and gives it. */
export const expectPage = (
  store: Store,
  session: SessionId,
  after: number,
  limit: number,
  first: number,
  last: number
) =>
  Effect.map(store.readPage(session, after, limit), (found) => {
    const page = Option.getOrElse(found, () => assert.fail(`no page of ${session} after ${after}`))
    assert.deepEqual([page.first, page.last], [first, last])
    return page
  })

/** Frees piece after piece, as the retention of a server does. More than 100 pieces mean that it never ends. */
export const untilDone = (step: Effect.Effect<boolean, StoreError>) =>
  Effect.gen(function* () {
    for (let pieces = 1; yield* step; pieces++) assert.ok(pieces < 100, "there is always more left")
  })
