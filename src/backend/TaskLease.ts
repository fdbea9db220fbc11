import { Clock, Duration, Effect } from "effect"

/**
 * Renews three times in `length`. Done when `length` has passed since the last renewal that succeeded: the lease is lost. A renewal
 * that does not end counts as one that failed.
 */
export const lost = (length: Duration.Duration, renew: Effect.Effect<void, unknown>): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (begun) => {
    const third = Duration.times(length, 1 / 3)
    let until = begun + Duration.toMillis(length)

    const renewal = Effect.flatMap(Clock.currentTimeMillis, (at) =>
      Effect.map(renew, () => {
        until = at + Duration.toMillis(length)
      })
    ).pipe(
      Effect.disconnect,
      Effect.timeoutFail({ duration: third, onTimeout: () => `no end in ${Duration.format(third)}` }),
      Effect.catchAllCause((cause) => Effect.logWarning("the lease of a task is not renewed", cause))
    )

    const expiry: Effect.Effect<void> = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      now < until ? Effect.zipRight(Effect.sleep(Duration.millis(until - now)), expiry) : Effect.void
    )
    return Effect.raceFirst(expiry, Effect.forever(Effect.delay(renewal, third)))
  })
