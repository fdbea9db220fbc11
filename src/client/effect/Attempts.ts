import { Duration, Effect, Either, Schedule } from "effect"
import type { Refused, Unavailable } from "./Exchange.ts"
import type { Policy } from "./Retrying.ts"

/** The policy, but never before the server asked for. */
const courteous = (policy: Policy): Schedule.Schedule<Unavailable, Unavailable> =>
  policy.pipe(
    Schedule.passthrough,
    Schedule.modifyDelay(({ retryAfter }, delay) => Duration.max(delay, retryAfter))
  )

/** Repeats a request by `policy` until the server has had its last word, or the policy its end: `Unavailable` then. */
export const persistently =
  (policy: Policy) =>
  <A, R>(attempt: Effect.Effect<A, Refused | Unavailable, R>): Effect.Effect<A, Refused | Unavailable, R> =>
    attempt.pipe(
      Effect.map(Either.right),
      Effect.catchTag("Refused", (refused) => Effect.succeed(Either.left(refused))),
      Effect.retry(courteous(policy)),
      Effect.flatten
    )

/** A policy at work, for who tells of a wait before it. */
export interface Waits {
  /** Milliseconds until the next try; fails with the failure when the policy has ended. */
  readonly next: (failure: Unavailable) => Effect.Effect<number, Unavailable>
  /** There was a success: the policy begins anew. */
  readonly reset: Effect.Effect<void>
}

export const waits = (policy: Policy): Effect.Effect<Waits> =>
  // Told instead of waited for: a driver sleeps before it answers.
  Effect.map(
    Schedule.driver(
      courteous(policy).pipe(
        Schedule.delays,
        Schedule.modifyDelay(() => Duration.zero)
      )
    ),
    // A driver's methods need their `this`.
    (driver) => ({
      next: (failure) =>
        Effect.mapBoth(driver.next(failure), { onFailure: () => failure, onSuccess: Duration.toMillis }),
      reset: Effect.suspend(() => driver.reset)
    })
  )
