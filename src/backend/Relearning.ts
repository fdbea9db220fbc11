import { Effect, Layer, Schedule } from "effect"
import { ConnectionManager } from "./ConnectionManager.ts"

/** A gateway that is not there yet is asked again. */
const again = Schedule.either(Schedule.jittered(Schedule.exponential("200 millis")), Schedule.spaced("10 seconds"))

/**
 * After a start the application learns in the background what is open (S142). Above all that observes connects: each observer hears
 * of what was learnt.
 */
export const layer: Layer.Layer<never, never, ConnectionManager> = Layer.scopedDiscard(
  Effect.flatMap(ConnectionManager, ({ relearn }) =>
    relearn.pipe(
      Effect.tapError((error) => Effect.logWarning("open connections are not learnt yet", error)),
      Effect.retry(again),
      // Interrupted with the scope: the next start learns again.
      Effect.forkScoped
    )
  )
)
