import { Context, Effect } from "effect"

/**
 * Where a step goes that does not belong into the present one. The rooms take it once, when they are made, so that a
 * scheduler of one's own, as that of a simulation, can stand in its place. By default Node's.
 */
export class EventLoop extends Context.Reference<EventLoop>()("sluice/store/EventLoop", {
  defaultValue: (): {
    /** After the sockets of this turn were read. In the order of the calls. */
    readonly immediate: (step: () => void) => void
    /** Behind the present step, before the next turn. In the order of the calls. */
    readonly microtask: (step: () => void) => void
  } => ({ immediate: setImmediate, microtask: queueMicrotask })
}) {}

/** Sockets, and whatever else waits, have a turn: unlike `Effect.yieldNow`, which lets other fibers go on in this one. */
export const turn: Effect.Effect<void> = Effect.flatMap(EventLoop, ({ immediate }) =>
  Effect.async((resume) => immediate(() => resume(Effect.void)))
)

/** `piece` until it says that nothing is left, each in a turn of its own. */
export const pieces = <E>(piece: Effect.Effect<boolean, E>): Effect.Effect<boolean, E> =>
  Effect.repeat(Effect.zipLeft(piece, turn), { while: (more) => more })
