import { Clock, Duration, Effect, FiberHandle, type Scope } from "effect"

/** What may take only so long. */
export interface Limited {
  /** Its time is over. Called at most once. */
  readonly expire: () => void
}

export interface TimeLimit {
  readonly begin: (item: Limited) => void
  /** It is over by itself. */
  readonly end: (item: Limited) => void
}

/**
 * One fiber and one timer for all items (hot path: `Effect.timeoutFail` costs 50 µs a call, as much as the call itself).
 * The limit is the same for all, so that they are due in the order in which they began.
 */
export const make = (limit: Duration.Duration): Effect.Effect<TimeLimit, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const handle = yield* FiberHandle.make<void>()
    const fork = yield* FiberHandle.runtime(handle)<never>()
    const dueAt = new Map<Limited, number>()
    let isWatching = false
    /** Milliseconds that no one sets: a limit must not follow the clock on the wall. */
    const now = () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)

    const firstDue = (): number => {
      for (const at of dueAt.values()) return at
      return Number.POSITIVE_INFINITY
    }

    const expire = (): void => {
      const reached = now()
      for (const [item, at] of dueAt) {
        if (at > reached) return
        dueAt.delete(item)
        item.expire()
      }
    }

    const watch = Effect.whileLoop({
      while: () => {
        isWatching = dueAt.size > 0
        return isWatching
      },
      body: () => Clock.sleep(Duration.millis(Math.max(firstDue() - now(), 0))),
      step: expire
    })

    return {
      begin: (item) => {
        dueAt.set(item, now() + Duration.toMillis(limit))
        if (isWatching) return
        isWatching = true
        fork(watch)
      },
      end: (item) => {
        dueAt.delete(item)
      }
    }
  })
