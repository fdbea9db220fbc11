import { Data } from "effect"
import type * as Cursor from "../protocol/Cursor.ts"
import type { SessionState } from "./Session.ts"

/** The input names something that is not allowed. Nothing was stored; another try with the same input fails again. */
export class InvalidRequest extends Data.TaggedError("InvalidRequest")<{
  readonly field: string
  readonly allowed: string
}> {
  override get message(): string {
    return `${this.field} ${this.allowed}`
  }
}

/** A body or an event above its limit, in bytes. */
export class PayloadTooLarge extends Data.TaggedError("PayloadTooLarge")<{
  readonly field: string
  readonly limit: number
}> {
  override get message(): string {
    return `${this.field} must have at most ${this.limit} bytes`
  }
}

export class SessionNotFound extends Data.TaggedError("SessionNotFound")<{ readonly session: string }> {}

/** The session is over: no event can follow. */
export class SessionEnded extends Data.TaggedError("SessionEnded")<{ readonly session: string }> {}

/** The session does not move from where it is to where it was asked to go: `Lifecycle` has the table. Nothing changed. */
export class InvalidTransition extends Data.TaggedError("InvalidTransition")<{
  readonly session: string
  readonly from: SessionState
  readonly to: SessionState
}> {}

/** No process works for the session: there is nothing to interrupt or to stop. */
export class NothingRuns extends Data.TaggedError("NothingRuns")<{ readonly session: string }> {}

/** A process works for the session already. */
export class AlreadyRuns extends Data.TaggedError("AlreadyRuns")<{ readonly session: string }> {}

/** The message id was used before with another content. */
export class MessageConflict extends Data.TaggedError("MessageConflict")<{
  readonly session: string
  readonly id: string
}> {}

export class ConnectionNotFound extends Data.TaggedError("ConnectionNotFound")<{ readonly token: string }> {}

/** The head is not where the producer believed it to be: read from `head` and decide anew. */
export class HeadConflict extends Data.TaggedError("HeadConflict")<{
  readonly session: string
  readonly head: Cursor.Cursor
}> {}

/** The idempotency key was used before with another body. */
export class KeyConflict extends Data.TaggedError("KeyConflict")<{ readonly session: string }> {}

/** A bound was reached: nothing was taken, a later try may succeed. */
export class Overloaded extends Data.TaggedError("Overloaded")<{
  readonly what:
    | "session mailbox"
    | "store writer"
    | "connection queue"
    | "callback window"
    | "gateway"
    | "memory for request bodies"
    | "queue of messages"
    | "list of running tasks"
}> {}

/** The actor died with the append in hand: the outcome is unknown. Try again with the same idempotency key. */
export class SessionInterrupted extends Data.TaggedError("SessionInterrupted")<{ readonly session: string }> {}

/**
 * The store could not answer. `Busy` (locked by another process), `Full` (no space) and `Unavailable` may heal, so a
 * later try may succeed; `Corrupt` will not. Nothing of the request was stored.
 */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly reason: "Busy" | "Full" | "Unavailable" | "Corrupt"
  readonly cause: unknown
}> {}

/** Every way in which an append can fail. `InvalidTransition` and `SessionNotFound` are of those that move a session. */
export type AppendError =
  | SessionEnded
  | SessionNotFound
  | InvalidTransition
  | HeadConflict
  | KeyConflict
  | Overloaded
  | SessionInterrupted
  | StoreError
