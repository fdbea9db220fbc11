import { Effect } from "effect"

/** Sockets, and whatever else waits, have a turn: unlike `Effect.yieldNow`, which lets other fibers go on in this one. */
export const turn: Effect.Effect<void> = Effect.async((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** `piece` until it says that nothing is left, each in a turn of its own. */
export const pieces = <E>(piece: Effect.Effect<boolean, E>): Effect.Effect<boolean, E> =>
  Effect.repeat(Effect.zipLeft(piece, turn), { while: (more) => more })
