import { Duration, Effect, Metric, Schedule } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { EventStore } from "../store/EventStore.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { SessionActor } from "./SessionActor.ts"

/** How often old events, removed sessions and old receipts are looked for. */
const interval = Duration.seconds(1)
/** Idempotency keys answer for 24 hours (design §4, bounds). */
const receiptsFor = Duration.hours(24)

/**
 * Frees what no longer counts, in small pieces between commits, so that no producer or watcher waits for it. What counts
 * is decided before, in the actors: `oldest` moves at once, its disk space follows.
 */
export const make = (options: {
  readonly retainFor: Duration.Duration | undefined
  readonly find: (session: SessionId) => SessionActor | undefined
}) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const writer = yield* StoreWriter
    const clock = yield* Effect.clock
    const trimmable = new Map<SessionId, number>()

    /** `piece` until nothing is left, each in a turn of its own. */
    const drain = <E>(piece: Effect.Effect<boolean, E>) =>
      Effect.repeat(Effect.zipLeft(writer.run(piece), Effect.yieldNow()), { while: (more) => more })

    const trim = Effect.suspend(() => {
      const due = Array.from(trimmable)
      trimmable.clear()
      return Effect.forEach(due, ([session, oldest]) => drain(store.trim(session, oldest)), { discard: true })
    })

    const expire = (retainFor: Duration.Duration) =>
      Effect.repeat(
        Effect.gen(function* () {
          const expired = yield* store.expired(clock.unsafeCurrentTimeMillis() - Duration.toMillis(retainFor))
          for (const { oldest, session } of expired) {
            options.find(session)?.moveOldest(oldest)
            yield* drain(store.trim(session, oldest))
          }
          return expired.length > 0
        }),
        { while: (more) => more }
      )

    const sweep = drain(
      Effect.suspend(() => store.sweep(clock.unsafeCurrentTimeMillis() - Duration.toMillis(receiptsFor)))
    )

    const tick = Effect.all([trim, options.retainFor === undefined ? Effect.void : expire(options.retainFor), sweep], {
      discard: true
    })

    // Interrupted between two pieces: the rest is found again at the next start.
    yield* tick.pipe(
      Effect.catchAllCause((cause) =>
        Effect.zipRight(
          Metric.increment(Metrics.storeErrors),
          Effect.logWarning("retention is tried again later", cause)
        )
      ),
      Effect.schedule(Schedule.spaced(interval)),
      Effect.forkScoped
    )

    return {
      /** Bounded by the sessions that were active since the last tick. */
      add: (actor: SessionActor) => {
        trimmable.set(actor.session, actor.oldest)
      }
    } as const
  })
