import { Effect, Either, Random, Schedule } from "effect"
import * as Backoff from "../../protocol/Backoff.ts"
import type { Refused, Unavailable } from "./Exchange.ts"

const backoff: Backoff.Backoff = { base: 500, max: 5000 }

/** Milliseconds to wait after so many failures in a row: full jitter, never less than `floor`. */
export const wait = (failures: number, floor: number): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => Backoff.delay(backoff, failures, random, floor))

/** When a request is made again: after `wait`, never before the server's `Retry-After`. */
export type Policy = Schedule.Schedule<unknown, Unavailable>

/** Without an end. Who wants one adds it: `Schedule.intersect(Retrying.forever, Schedule.recurs(5))`. */
export const forever: Policy = Schedule.identity<Unavailable>().pipe(
  Schedule.intersect(Schedule.forever),
  Schedule.modifyDelayEffect(([{ retryAfter }, failures]) => wait(failures, retryAfter))
)

/** Repeats a request by `policy` until the server has had its last word, or the policy its end: `Unavailable` then. */
export const persistently =
  (policy: Policy) =>
  <A, R>(attempt: Effect.Effect<A, Refused | Unavailable, R>): Effect.Effect<A, Refused | Unavailable, R> =>
    attempt.pipe(
      Effect.map(Either.right),
      Effect.catchTag("Refused", (refused) => Effect.succeed(Either.left(refused))),
      Effect.retry(policy),
      Effect.flatten
    )
