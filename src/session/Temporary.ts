import { type Duration, Effect, Schedule } from "effect"

/** What a later try may not meet again: a full queue, a store that does not answer, an actor that died with it in hand. */
const isTemporary = ({ _tag }: { readonly _tag: string }): boolean =>
  _tag === "Overloaded" || _tag === "StoreError" || _tag === "SessionInterrupted"

/** Tried again for as long as what it fails with may heal. */
export const untilHealed = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>,
  every: Duration.DurationInput
): Effect.Effect<A, E, R> => Effect.retry(effect, { while: isTemporary, schedule: Schedule.spaced(every) })
