import { Effect } from "effect"

/** For who waits until something is so: whoever changes it tells, and all who wait look again. */
export const make = () => {
  const attempts = new Set<() => void>()
  /** What is there as soon as it is, at once when it is already. */
  const until = <A>(get: () => A | undefined): Effect.Effect<A> =>
    Effect.async((resume) => {
      const attempt = () => {
        const value = get()
        if (value === undefined) return
        attempts.delete(attempt)
        resume(Effect.succeed(value))
      }
      attempts.add(attempt)
      attempt()
      return Effect.sync(() => attempts.delete(attempt))
    })
  return {
    tell: () => {
      for (const attempt of attempts) attempt()
    },
    until,
    untilTrue: (isSo: () => boolean) => Effect.asVoid(until(() => isSo() || undefined))
  } as const
}
