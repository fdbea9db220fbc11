import { Cause, Duration, Effect, type Scope } from "effect"

/** Longer than this an observer holds up no other. */
const patience = Duration.seconds(5)

interface Observer<A> {
  readonly name: string
  readonly hear: (what: A) => Effect.Effect<void, unknown>
}

/** Functions that hear of something, one after the other in the order of their registration, each isolated from the others. */
export const make = <A>() => {
  const observers = new Set<Observer<A>>()

  /** Whatever it does, the next one is called; one that cannot be interrupted is left behind. */
  const isolated = ({ hear, name }: Observer<A>, what: A) =>
    Effect.suspend(() => hear(what)).pipe(
      Effect.disconnect,
      Effect.timeoutFail({ duration: patience, onTimeout: () => `no end in ${Duration.format(patience)}` }),
      Effect.catchAllCause((cause) => Effect.logWarning(`observer ${name} failed`, Cause.pretty(cause)))
    )

  return {
    /** Until the scope closes. Who is registered while others run is called from the next time on. */
    observe: (name: string, hear: Observer<A>["hear"]): Effect.Effect<void, never, Scope.Scope> =>
      Effect.suspend(() => {
        const observer = { name, hear }
        return Effect.acquireRelease(
          Effect.sync(() => void observers.add(observer)),
          () => Effect.sync(() => observers.delete(observer))
        )
      }),

    /** Calls those that are registered now. Interrupted, the rest is not called. */
    notify: (what: A): Effect.Effect<void> =>
      Effect.suspend(() =>
        Effect.forEach(Array.from(observers), (observer) => isolated(observer, what), { discard: true })
      )
  } as const
}
