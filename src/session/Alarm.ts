import { Clock, Duration, Effect, FiberHandle } from "effect"

/** The clock may be set meanwhile, and a timer of Node's cannot be longer than 24 days: nobody sleeps longer at once. */
const longest = Duration.toMillis("1 hour")

/**
 * One fiber that sleeps until something is due, and none when nothing can be. `ring` looks after what is due, and returns
 * when (epoch milliseconds) it wants to be called again, or `Infinity`. It ends with the scope.
 */
export const make = (ring: Effect.Effect<number>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const handle = yield* FiberHandle.make<void>()
    const fork = yield* FiberHandle.runtime(handle)<never>()
    let due = Number.POSITIVE_INFINITY
    let isRinging = false

    const rest = () => Math.min(Math.max(Math.ceil(due - clock.unsafeCurrentTimeMillis()), 0), longest)

    const rung = Effect.suspend(() => {
      if (clock.unsafeCurrentTimeMillis() < due) return Effect.succeed(due)
      due = Number.POSITIVE_INFINITY
      isRinging = true
      return ring
    })

    // Interrupted to wake earlier, never while it rings; or for good with the scope.
    const loop = Effect.whileLoop({
      while: () => due !== Number.POSITIVE_INFINITY,
      body: () => Effect.zipRight(Clock.sleep(Duration.millis(rest())), rung),
      step: (next: number) => {
        isRinging = false
        due = Math.min(due, next)
      }
    })

    return {
      /** Rings at `at` (epoch milliseconds) or before. Costs a comparison when it rings before anyway. */
      set: (at: number): void => {
        if (at >= due) return
        due = at
        if (!isRinging) fork(loop)
      }
    } as const
  })
