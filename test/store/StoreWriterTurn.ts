import { Effect } from "effect"

/**
 * Until the store writer had its turn and what it woke has run: a turn begins in a `setImmediate` of its own, after which
 * fibers go on in microtasks. A barrier of the event loop, not a time: use it where there is no frame or answer to wait for.
 */
export const settled: Effect.Effect<void> = Effect.async((resume) => {
  setImmediate(() => setImmediate(() => setImmediate(() => resume(Effect.void))))
})

/** Settles until it is so, or for so many turns that it never will be: a test can then say what was wrong. */
export const settledUntil = (isSo: () => boolean, turns = 200): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    if (isSo()) return Effect.succeed(true)
    return turns === 0 ? Effect.succeed(false) : Effect.zipRight(settled, settledUntil(isSo, turns - 1))
  })
