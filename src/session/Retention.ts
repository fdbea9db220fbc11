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
    const trimmable = new Map<SessionId, { readonly oldest: number; readonly epoch: string }>()

    /** `piece` until nothing is left, each in a turn of its own. */
    const drain = <E>(piece: Effect.Effect<boolean, E>) =>
      Effect.repeat(Effect.zipLeft(writer.run(piece), Effect.yieldNow()), { while: (more) => more })

    /** Unless the log was deleted, and perhaps made anew, since: the number would be one of another log. */
    const trimOf = (session: SessionId, epoch: string | undefined, oldest: number) =>
      drain(
        Effect.suspend(() =>
          options.find(session)?.epoch === epoch || options.find(session) === undefined
            ? store.trim(session, oldest)
            : Effect.succeed(false)
        )
      )

    const trim = Effect.suspend(() => {
      const due = Array.from(trimmable)
      trimmable.clear()
      return Effect.forEach(
        due,
        ([session, trimmed]) =>
          Effect.tapError(trimOf(session, trimmed.epoch, trimmed.oldest), () =>
            Effect.sync(() => {
              if (!trimmable.has(session)) trimmable.set(session, trimmed)
            })
          ),
        { discard: true }
      )
    })

    /** Asked between commits, so that the live actors are those of the logs that were looked at. */
    const look = (retainFor: Duration.Duration) =>
      Effect.suspend(() => store.expired(clock.unsafeCurrentTimeMillis() - Duration.toMillis(retainFor))).pipe(
        Effect.map((expired) =>
          expired.map(({ oldest, session }) => {
            const actor = options.find(session)
            actor?.moveOldest(oldest)
            return { session, oldest, epoch: actor?.epoch }
          })
        )
      )

    const expire = (retainFor: Duration.Duration) =>
      Effect.repeat(
        Effect.flatMap(writer.run(look(retainFor)), (expired) =>
          Effect.as(
            Effect.forEach(expired, ({ epoch, oldest, session }) => trimOf(session, epoch, oldest), { discard: true }),
            expired.length > 0
          )
        ),
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
        trimmable.set(actor.session, { oldest: actor.oldest, epoch: actor.epoch })
      }
    } as const
  })
