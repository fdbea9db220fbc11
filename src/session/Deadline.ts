import { Cause, Data, Duration, Effect } from "effect"
import * as Problem from "../domain/Problem.ts"

/** It was not done in time; what it does from now on is nobody's business. */
export class Late extends Data.TaggedError("Late")<{ readonly limit: Duration.Duration }> {
  override get message(): string {
    return `it was not done within ${Duration.format(this.limit)}`
  }
}

/**
 * Foreign code, at arm's length: whatever it does, this is done within `limit`. What is late is interrupted and left alone,
 * also when it does not listen to that.
 */
export const within = <A, E, R>(work: () => Effect.Effect<A, E, R>, limit: Duration.Duration) =>
  // Interruptible on the outside, also for a caller that is not: else the timeout would wait for what is late.
  Effect.timeoutFail(Effect.interruptible(Effect.disconnect(Effect.suspend(work))), {
    duration: limit,
    onTimeout: () => new Late({ limit })
  })

/** One readable line of why it failed. */
export const problemOf = (cause: Cause.Cause<unknown>): string =>
  Cause.isInterruptedOnly(cause) ? "it was interrupted" : Problem.make(Cause.squash(cause))
