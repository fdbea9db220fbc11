import { Effect } from "effect"
import { maxWatches } from "../domain/Connection.ts"
import type * as ReplayPlan from "../domain/ReplayPlan.ts"
import type { SessionId } from "../domain/Session.ts"
import { ConnectionNotFound, InvalidRequest, type StoreError } from "../domain/SessionError.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import type { Connection } from "./Connection.ts"
import * as Opening from "./Opening.ts"

export interface WatchRequest {
  readonly session: SessionId
  readonly position: ReplayPlan.Position
}

/** All actors, then all wishes: live actors are found without waiting, so that watching follows in the same step. */
export const wishes = (
  sessions: SessionRegistry["Type"],
  watches: ReadonlyArray<WatchRequest>
): Effect.Effect<ReadonlyArray<Opening.Wish>, StoreError> =>
  Effect.suspend(() => {
    const asleep = watches.filter(({ session }) => sessions.find(session) === undefined)
    if (asleep.length > 0) {
      return Effect.zipRight(
        Effect.forEach(asleep, ({ session }) => sessions.start(session), { discard: true }),
        wishes(sessions, watches)
      )
    }
    return Effect.succeed(
      watches.flatMap(({ position, session }) => {
        const actor = sessions.find(session)
        return actor === undefined ? [] : [{ actor, position }]
      })
    )
  })

export const watching = (connection: Connection): ReadonlyArray<SessionId> =>
  connection.seams.filter(({ mode }) => mode !== "ended").map(({ actor }) => actor.session)

/** Watches what is not watched yet, all or none, and tells the client. */
export const add = (
  connection: Connection,
  wanted: ReadonlyArray<Opening.Wish>,
  replayCap: number
): Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound | InvalidRequest> =>
  Effect.suspend((): Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound | InvalidRequest> => {
    const known = new Set(watching(connection))
    const fresh = new Map(
      wanted.filter(({ actor }) => !known.has(actor.session)).map((wish) => [wish.actor.session, wish])
    )
    if (known.size + fresh.size > maxWatches) {
      return new InvalidRequest({ field: "sessions", allowed: `must leave at most ${maxWatches} watched` })
    }
    if (!connection.isOpen) return new ConnectionNotFound({ token: connection.token })
    const opened = Array.from(fresh.values(), (wish) => Opening.begin("many", wish, replayCap, connection))
    const over = connection.seams.filter(({ actor, mode }) => mode === "ended" && !fresh.has(actor.session))
    const live = connection.seams.filter(({ mode }) => mode !== "ended")
    // The vector has the bound of the watches: of those that ended the oldest are forgotten.
    connection.seams = [...over, ...live, ...opened.map(({ seam }) => seam)].slice(-maxWatches)
    connection.write(opened.map(({ text }) => text).join(""))
    Opening.end(connection, opened)
    connection.readSoon()
    return connection.isOpen
      ? Effect.succeed(watching(connection))
      : Effect.fail(new ConnectionNotFound({ token: connection.token }))
  })

export const remove = (connection: Connection, ids: ReadonlyArray<SessionId>): ReadonlyArray<SessionId> => {
  const leaving = connection.seams.filter(({ actor }) => ids.includes(actor.session))
  for (const seam of leaving) seam.close()
  connection.seams = connection.seams.filter((seam) => !leaving.includes(seam))
  return watching(connection)
}
