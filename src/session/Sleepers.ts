import { Duration, Effect } from "effect"
import * as Alarm from "./Alarm.ts"
import type { SessionActor } from "./SessionActor.ts"

/** Of the idle time: at least so much lies between two looks at all actors, however many fall idle one by one. */
const pace = 1 / 60

/**
 * Puts actors to sleep that had neither watcher nor work nor traffic for the idle time, at most a sixtieth of it later.
 * While each live actor is watched or worked for, nobody looks.
 */
export const make = (options: {
  readonly idle: Duration.DurationInput
  readonly actors: Iterable<SessionActor>
  readonly sleep: (actor: SessionActor) => void
}) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const idle = Duration.toMillis(options.idle)

    const look = Effect.sync(() => {
      const now = clock.unsafeCurrentTimeMillis()
      let earliest = Number.POSITIVE_INFINITY
      for (const actor of options.actors) {
        // It tells when it rests again.
        if (actor.isEngaged) continue
        if (actor.isBusy || actor.activeAt + idle > now) earliest = Math.min(earliest, actor.activeAt + idle)
        else options.sleep(actor)
      }
      return Math.max(earliest, now + idle * pace)
    })
    const alarm = yield* Alarm.make(look)

    return {
      /** It is live, and nobody watches it or works for it. */
      rested: (actor: SessionActor): void => alarm.set(actor.activeAt + idle)
    } as const
  })
