import { Effect, Ref } from "effect"
import { Unavailable } from "../client/effect/Exchange.ts"
import * as Retrying from "../client/effect/Retrying.ts"

/** Repeats a request until the server has had its last word. `onWait` hears of each wait, in milliseconds. */
export const persistently = <A, E, R>(
  attempt: Effect.Effect<A, E | Unavailable, R>,
  onWait: (why: string, millis: number) => Effect.Effect<void>
): Effect.Effect<A, Exclude<E, Unavailable>, R> =>
  Effect.gen(function* () {
    const failures = yield* Ref.make(0)
    const pause = ({ retryAfter, why }: Unavailable) =>
      Effect.gen(function* () {
        const millis = yield* Retrying.wait(yield* Ref.getAndUpdate(failures, (count) => count + 1), retryAfter)
        yield* onWait(why, millis)
        yield* Effect.sleep(millis)
      })
    const isFinal = (error: E | Unavailable): error is Exclude<E, Unavailable> => !(error instanceof Unavailable)
    const once = Effect.tapError(attempt, (error) => (error instanceof Unavailable ? pause(error) : Effect.void))
    return yield* Effect.retry(once, { until: isFinal })
  })
