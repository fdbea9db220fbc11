import { Duration, Effect, Fiber, type FiberSet } from "effect"

/** How long anything may take to end that is not needed any more. */
const patience = Duration.seconds(1)

type Fork = Effect.Effect.Success<ReturnType<typeof FiberSet.makeRuntime<never>>>

const limited = <A, E>(call: Effect.Effect<A, E>) =>
  Effect.timeoutFail(Effect.disconnect(call), {
    duration: patience,
    onTimeout: () => `no end in ${Duration.format(patience)}`
  })

/**
 * Waits for what must not hold up an end: at most a second. In fibers of `fork`, since who waits may be interrupted already, and time
 * limits are interruptions.
 */
export const make = (fork: Fork) => ({
  /** Whatever becomes of it is logged as `what`, and no failure. */
  tolerated: (what: string, call: Effect.Effect<void, unknown>) =>
    Effect.suspend(() =>
      Fiber.await(fork(Effect.catchAllCause(limited(call), (cause) => Effect.logWarning(what, cause))))
    ),

  /** Interrupted, `work` has a second to end, and is left behind. */
  leavable: <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.forkDaemon(restore(work)), (fiber) =>
        Effect.onInterrupt(restore(Fiber.join(fiber)), () => Fiber.await(fork(limited(Fiber.interrupt(fiber)))))
      )
    )
})
