import { Deferred, Effect, Ref, Stream, type SubscriptionRef } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import * as Frames from "../core/Frames.ts"
import type * as Readers from "../core/Readers.ts"
import { Unavailable } from "./Exchange.ts"

/** A connection of which the server has said hello. */
export interface Connection {
  /** Who names it in a message owns the session by it (docs/sessions.md). */
  readonly token: string
  /** Failed: it is of no use, and its watcher makes another. */
  readonly gone: Deferred.Deferred<never, Unavailable>
}

/** What outlives the connections of one watcher. */
export interface Watcher {
  /** Of the sessions that have not ended. */
  readonly readers: Readers.Readers
  readonly connection: Connection | undefined
  /** The server did not know the last connection any more, and there is no other yet. */
  readonly isStale: boolean
  /** Seconds between heartbeats. */
  readonly heartbeat: number
  /** Milliseconds: the server asks not to come back sooner. */
  readonly retry: number
  readonly farewell: string | undefined
}

export const watcher = (readers: Readers.Readers): Watcher => ({
  readers,
  connection: undefined,
  isStale: false,
  heartbeat: Frames.defaultHeartbeat,
  retry: 0,
  farewell: undefined
})

/** Those of one client that run now. */
export type Watchers = Set<SubscriptionRef.SubscriptionRef<Watcher>>

/** Until the scope closes. Who waits for its next connection then waits no more. */
export const join = (watchers: Watchers, watcher: SubscriptionRef.SubscriptionRef<Watcher>) =>
  Effect.acquireRelease(
    Effect.sync(() => watchers.add(watcher)),
    () =>
      Effect.zipRight(
        Effect.sync(() => watchers.delete(watcher)),
        Ref.update(watcher, (before) => ({ ...before, isStale: false }))
      )
  )

const of = (watchers: Watchers, session: SessionId) =>
  Effect.filter(watchers, (watcher) => Effect.map(Ref.get(watcher), ({ readers }) => readers.has(session)))

/** Of a connection that watches the session now. */
export const token = (watchers: Watchers, session: SessionId): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const all = yield* Effect.forEach(yield* of(watchers, session), Ref.get)
    return all.find(({ connection }) => connection)?.connection?.token
  })

/** The same; between a connection that the server did not know any more and the next one, it waits for that. */
export const nextToken = (watchers: Watchers, session: SessionId): Effect.Effect<string | undefined> =>
  Effect.gen(function* () {
    const found = yield* token(watchers, session)
    if (found !== undefined) return found
    const all = yield* of(watchers, session)
    yield* Effect.forEach(all, ({ changes }) => Stream.runDrain(Stream.takeUntil(changes, ({ isStale }) => !isStale)))
    return yield* token(watchers, session)
  })

/** The server does not know the connection any more: its watcher makes another, not only when it falls silent. */
export const renew = (watchers: Watchers, token: string) =>
  Effect.forEach(
    watchers,
    (watcher) =>
      Effect.gen(function* () {
        const { connection } = yield* Ref.get(watcher)
        if (connection?.token !== token) return
        yield* Ref.update(watcher, (before) => ({ ...before, connection: undefined, isStale: true }))
        yield* Deferred.fail(
          connection.gone,
          new Unavailable({ why: "the server does not know the connection any more", retryAfter: 0 })
        )
      }),
    { discard: true }
  )
