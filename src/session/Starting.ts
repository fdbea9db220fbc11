import { Cause, Effect, Either, Exit, Option } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { Overloaded, SessionInterrupted, type StoreError } from "../domain/SessionError.ts"
import type { StoreWriter } from "../store/StoreWriter.ts"
import { type Append, weigh } from "./Append.ts"
import type { Options, SessionActor } from "./SessionActor.ts"

interface Waiting {
  readonly appends: Array<Append>
  bytes: number
}

/**
 * Appends that wait for an actor that starts, in the order in which they came. They have the bounds of its mailbox, and
 * stand in those of the store writer until the actor takes them.
 */
export interface Starting {
  readonly isWaiting: (session: SessionId) => boolean
  /** Takes the append, or refuses it at once. True when it is the first one: then `settle` must be run. */
  readonly add: (session: SessionId, append: Append) => boolean
  /** Hands over what waits when `start` is done. Interrupted: nothing was stored, and each producer hears that it does not know. */
  readonly settle: (session: SessionId, start: Effect.Effect<SessionActor, StoreError>) => Effect.Effect<void>
}

export const make = (writer: StoreWriter["Type"], options: Pick<Options, "maxAppends" | "maxBytes">): Starting => {
  const sessions = new Map<SessionId, Waiting>()

  const refusal = (waiting: Waiting | undefined, bytes: number): Overloaded | undefined => {
    const appends = waiting?.appends.length ?? 0
    if (appends >= options.maxAppends || (waiting?.bytes ?? 0) + bytes > options.maxBytes) {
      return new Overloaded({ what: "session mailbox" })
    }
    return writer.admit(bytes) ? undefined : new Overloaded({ what: "store writer" })
  }

  const handOver = (session: SessionId, exit: Exit.Exit<SessionActor, StoreError>): void => {
    const waiting = sessions.get(session)
    sessions.delete(session)
    if (waiting === undefined) return
    writer.release(waiting.appends.length, waiting.bytes)
    for (const append of waiting.appends) {
      if (Exit.isSuccess(exit)) exit.value.append(append)
      else {
        const error = Option.getOrElse(Cause.failureOption(exit.cause), () => new SessionInterrupted({ session }))
        append.done(Either.left(error))
      }
    }
  }

  return {
    isWaiting: (session) => sessions.has(session),
    add: (session, append) => {
      const bytes = weigh(append.events)
      const known = sessions.get(session)
      const refused = refusal(known, bytes)
      if (refused !== undefined) {
        append.done(Either.left(refused))
        return false
      }
      if (known === undefined) {
        sessions.set(session, { appends: [append], bytes })
        return true
      }
      known.appends.push(append)
      known.bytes += bytes
      return false
    },
    settle: (session, start) =>
      Effect.asVoid(Effect.exit(Effect.onExit(start, (exit) => Effect.sync(() => handOver(session, exit)))))
  }
}
