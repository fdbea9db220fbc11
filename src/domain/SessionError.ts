import { Data } from "effect"
import type * as Cursor from "../protocol/Cursor.ts"

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

/** Every way in which an append can fail. */
export type AppendError = SessionEnded | HeadConflict | KeyConflict | Overloaded | SessionInterrupted | StoreError
