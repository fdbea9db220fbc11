import { Effect } from "effect"
import type { StreamRequest } from "../connection/ConnectionRegistry.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"

/** How a browser is told not to come back, for good (design §4): it would reconnect to an ended session for ever. */
export const status = 204

/** True when nothing can follow the places where the reader is: every session has ended, and it has all of them. */
const hasAll = (sessions: SessionRegistry["Type"], { watches }: StreamRequest): boolean =>
  watches.every(({ position, session }) => {
    const actor = sessions.find(session)
    if (actor?.state !== "ENDED" || position._tag !== "At") return false
    return position.cursor.epoch === actor.epoch && position.cursor.seq === actor.head
  })

/**
 * Answers whether a reader that returns by itself has all of it. Asked without waiting where the sessions are awake, as
 * they are for readers that return to a running server.
 */
export const make =
  (sessions: SessionRegistry["Type"], fork: (effect: Effect.Effect<void>) => void) =>
  (stream: StreamRequest, answer: (hasAll: boolean) => void): void => {
    const asleep = stream.watches.filter(({ session }) => sessions.find(session) === undefined)
    if (asleep.length === 0) return answer(hasAll(sessions, stream))
    const started = Effect.forEach(asleep, ({ session }) => sessions.start(session), { discard: true })
    // A store that does not answer is told on the stream.
    fork(Effect.map(Effect.exit(started), () => answer(hasAll(sessions, stream))))
  }
