import { Either } from "effect"
import type { StreamRequest } from "../connection/ConnectionRegistry.ts"
import type { WatchRequest } from "../connection/Watching.ts"
import { maxWatches } from "../domain/Connection.ts"
import * as ReplayPlan from "../domain/ReplayPlan.ts"
import { isSessionId, type SessionId, sessionIdRule } from "../domain/Session.ts"
import { InvalidRequest } from "../domain/SessionError.ts"
import * as Cursor from "../protocol/Cursor.ts"
import * as VectorCursor from "../protocol/VectorCursor.ts"

type Parsed<A> = Either.Either<A, InvalidRequest>

const invalid = (field: string, allowed: string): Parsed<never> => Either.left(new InvalidRequest({ field, allowed }))

export const { position } = ReplayPlan

const get = (query: URLSearchParams | undefined, name: string): string | undefined => query?.get(name) ?? undefined

/** `lastEventId` decides before the query. What is no cursor there cannot be corrected by a browser: it is told. */
export const single = (
  session: SessionId,
  query: URLSearchParams | undefined,
  lastEventId: string | undefined
): Parsed<StreamRequest> => {
  const last = lastEventId ? Cursor.parse(lastEventId) : undefined
  const isBadCursor = Boolean(lastEventId) && last === undefined
  const place =
    last === undefined ? position(get(query, "cursor"), get(query, "from")) : Either.right(ReplayPlan.at(last))
  return Either.map(place, (position) => ({ form: "single", watches: [{ session, position }], isBadCursor }))
}

const watch = (
  text: string,
  vector: VectorCursor.VectorCursor | undefined,
  from: string | undefined
): Parsed<WatchRequest> => {
  const at = text.indexOf("@")
  const session = at < 0 ? text : text.slice(0, at)
  if (!isSessionId(session)) return invalid("session", sessionIdRule)
  const last = vector?.get(session)
  const place =
    last === undefined ? position(at < 0 ? undefined : text.slice(at + 1), from) : Either.right(ReplayPlan.at(last))
  return Either.map(place, (position) => ({ session, position }))
}

/** A session named twice is watched once, from where it was named first. */
export const many = (query: URLSearchParams | undefined, lastEventId: string | undefined): Parsed<StreamRequest> => {
  const vector = lastEventId ? VectorCursor.parse(lastEventId) : undefined
  const named = query?.getAll("session") ?? []
  const watches = new Map<SessionId, WatchRequest>()
  for (const text of named) {
    const parsed = watch(text, vector, get(query, "from"))
    if (Either.isLeft(parsed)) return Either.left(parsed.left)
    if (!watches.has(parsed.right.session)) watches.set(parsed.right.session, parsed.right)
  }
  if (watches.size < 1 || watches.size > maxWatches) return invalid("session", `must be given 1 to ${maxWatches} times`)
  const isBadCursor = Boolean(lastEventId) && vector === undefined
  return Either.right({ form: "many", watches: Array.from(watches.values()), isBadCursor })
}
