import { Cause, Duration, Effect } from "effect"
import { isSynced } from "../domain/Lifecycle.ts"
import * as Alarm from "./Alarm.ts"
import type { SessionActor } from "./SessionActor.ts"
import type { Watcher } from "./Watcher.ts"

/** A defect of one watcher ends that one alone (promise 6). */
const contained = (watcher: Watcher, isLookedAfter: boolean): boolean => {
  try {
    return watcher.sync(isLookedAfter)
  } catch (defect) {
    watcher.died(Cause.die(defect))
    return false
  }
}

/**
 * The safety net under the fan-out (design §4): at each tick, a watch that is behind the head and has not moved since the last
 * one reads the log. Only sessions in CREATED, STARTING and ACTIVE are looked after, by their stored state alone. A tick
 * looks at the sessions that had commits since, or watches behind; without any, none comes. A watch of an id that the store
 * does not know has no head to be behind: it waits, and begins when the session is created.
 */
export const make = (interval: Duration.Duration) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const advanced = new Set<SessionActor>()
    let isTicking = false

    const next = () => clock.unsafeCurrentTimeMillis() + Duration.toMillis(interval)

    const tick = Effect.sync(() => {
      for (const actor of advanced) {
        const isLookedAfter = isSynced(actor.state)
        let isBehind = false
        for (const watcher of actor.watchers) isBehind = contained(watcher, isLookedAfter) || isBehind
        // One that is not looked after comes back with the commit of its next state.
        if (!isBehind || !isLookedAfter) advanced.delete(actor)
      }
      isTicking = advanced.size > 0
      return isTicking ? next() : Number.POSITIVE_INFINITY
    })
    const alarm = yield* Alarm.make(tick)

    return {
      /** The head moved, and somebody watches. Bounded by the sessions that are watched. */
      advanced: (actor: SessionActor): void => {
        advanced.add(actor)
        if (isTicking) return
        isTicking = true
        alarm.set(next())
      }
    } as const
  })
