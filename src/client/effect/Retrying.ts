import { Duration, Effect, Random, Schedule } from "effect"
import * as Backoff from "../../protocol/Backoff.ts"
import type { Unavailable } from "./Exchange.ts"

/**
 * When to try again after a failure, and when not any more: any `Schedule`. Whatever it says, nothing is tried before the
 * server's `Retry-After`, and no stream before its `retry`.
 */
export type Policy = Schedule.Schedule<unknown, Unavailable>

const base = 500

/**
 * Without an end, after a random time of at most 0.5 s, 1 s, 2 s … `max`, behind what the server asked for: the clients of
 * one that was away spread out.
 */
export const backoff = (max: Duration.DurationInput): Policy =>
  Schedule.identity<Unavailable>().pipe(
    Schedule.intersect(Schedule.forever),
    Schedule.modifyDelayEffect(([{ retryAfter }, failures]) =>
      Effect.map(Random.next, (random) =>
        Backoff.delay({ base, max: Duration.toMillis(max) }, failures, random, retryAfter)
      )
    )
  )

/** `backoff` up to 30 s. Who wants an end adds it: `Schedule.intersect(Retrying.forever, Schedule.recurs(5))`. */
export const forever: Policy = backoff("30 seconds")
