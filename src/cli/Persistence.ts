import { Effect } from "effect"
import * as Attempts from "../client/effect/Attempts.ts"
import { Unavailable } from "../client/effect/Exchange.ts"
import * as Retrying from "../client/effect/Retrying.ts"

/** Someone looks on: at most 5 s, without an end. */
export const policy = Retrying.backoff("5 seconds")

/** Repeats a request until the server has had its last word. `onWait` hears of each wait, in milliseconds. */
export const persistently = <A, E, R>(
  attempt: Effect.Effect<A, E | Unavailable, R>,
  onWait: (why: string, millis: number) => Effect.Effect<void>
): Effect.Effect<A, Exclude<E, Unavailable>, R> =>
  Effect.gen(function* () {
    const waits = yield* Attempts.waits(policy)
    const pause = (failure: Unavailable) =>
      Effect.gen(function* () {
        const millis = yield* waits.next(failure)
        yield* onWait(failure.why, millis)
        yield* Effect.sleep(millis)
      })
    const isFinal = (error: E | Unavailable): error is Exclude<E, Unavailable> => !(error instanceof Unavailable)
    const once = Effect.tapError(attempt, (error) => (error instanceof Unavailable ? pause(error) : Effect.void))
    return yield* Effect.retry(once, { until: isFinal })
  })
