import type { Either } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import type { SessionId } from "../domain/Session.ts"
import type { AppendError, InvalidTransition, SessionEnded, SessionNotFound } from "../domain/SessionError.ts"
import type * as Batch from "../store/Batch.ts"
import type { AcceptedMessage } from "../store/Message.ts"

/** `repeated`: the answer of an earlier request with the same idempotency key; nothing was stored. */
export interface Appended {
  readonly epoch: string
  readonly first: number
  readonly last: number
  readonly head: number
  readonly repeated: boolean
}

/** How a session stands in the turn of a commit: what appends before this one decided counts already. */
export interface Standing extends Batch.Standing {
  readonly session: SessionId
  readonly epoch: string
  readonly exists: boolean
}

/** What an append makes of a session: its events, and how it stands after them. No event: nothing is stored. */
export interface Decision {
  readonly events: ReadonlyArray<NewEvent>
  readonly standing: Batch.Standing
  /** Accepted with the event at this place in `events`, 0 for the first. */
  readonly message?: { readonly at: number; readonly accepted: Omit<AcceptedMessage, "seq"> }
  /** Ids of messages that are done with it. */
  readonly settled?: ReadonlyArray<string>
}

/** Pure: called in the turn of the commit, so that no one moves the session in between. */
export type Decide = (standing: Standing) => Either.Either<Decision, InvalidTransition | SessionEnded | SessionNotFound>

/** `events` are valid: `Event.problem` knows none of theirs. */
export interface Append {
  readonly events: ReadonlyArray<NewEvent>
  /** Decides what is appended, in place of `events`, which then only say what it weighs. */
  readonly decide?: Decide | undefined
  /** Refuse unless the head is this one. */
  readonly expect?: { readonly epoch: string | undefined; readonly seq: number } | undefined
  readonly receipt?: { readonly key: string; readonly digest: string } | undefined
  readonly done: (result: Either.Either<Appended, AppendError>) => void
}

/** The weight of an event beside its data in the bounds of queues. */
const overhead = 64

export const weigh = (events: ReadonlyArray<NewEvent>): number => {
  let bytes = 0
  for (const event of events) bytes += event.data.length + event.name.length + overhead
  return bytes
}
