import { type Cause, Effect, Metric, Schedule } from "effect"
import type { StoreError } from "../domain/SessionError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { SessionActor } from "./SessionActor.ts"

/** An actor that dies starts again from the store: soon, then slower, at most 5 times without a quiet minute. */
const restarts = Schedule.exponential("20 millis").pipe(
  Schedule.intersect(Schedule.recurs(5)),
  Schedule.resetAfter("1 minute")
)

/**
 * The life of a session actor, parked until it dies. Interrupted when it sleeps or the registry closes: nothing is left
 * to do then. `reload` restarts it from the store; `giveUp` is called when it does not start again.
 */
export const supervise = (
  actor: SessionActor,
  handlers: {
    readonly reload: Effect.Effect<void, StoreError>
    readonly giveUp: () => void
    readonly trimmable: () => void
    readonly advanced: () => void
    readonly moved: () => void
    readonly stored: (at: number) => void
    readonly rested: () => void
  }
): Effect.Effect<void> => {
  let unheard: Cause.Cause<never> | undefined
  let hear = (cause: Cause.Cause<never>): void => {
    unheard = cause
  }
  const { advanced, moved, rested, stored, trimmable } = handlers
  actor.supervisor = { died: (cause) => hear(cause), trimmable, advanced, moved, stored, rested }

  const death = Effect.async<never>((resume) => {
    hear = (cause) => {
      hear = (later) => {
        unheard = later
      }
      resume(Effect.failCause(cause))
    }
    if (unheard !== undefined) hear(unheard)
    unheard = undefined
  })

  const counted = Effect.tapError(Effect.sandbox(death), (cause) =>
    Effect.zipRight(
      Metric.increment(Metrics.sessionActorFailures),
      Effect.annotateLogs(Effect.logError("a session actor died and restarts from the store", cause), {
        session: actor.session
      })
    )
  )
  const again = Effect.zipRight(Effect.sandbox(handlers.reload), counted)

  return Effect.catchAll(counted, () =>
    Effect.catchAll(Effect.retry(again, restarts), (cause) =>
      Effect.zipRight(
        Effect.annotateLogs(Effect.logError("a session actor does not start again", cause), { session: actor.session }),
        Effect.sync(handlers.giveUp)
      )
    )
  )
}
