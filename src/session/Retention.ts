import { type Cause, Duration, Effect, Metric, Option, Schedule } from "effect"
import type { SessionId } from "../domain/Session.ts"
import type { Overloaded, StoreError } from "../domain/SessionError.ts"
import * as EventLoop from "../store/EventLoop.ts"
import { EventStore } from "../store/EventStore.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import * as Alarm from "./Alarm.ts"
import type { SessionActor } from "./SessionActor.ts"

/** Between what makes work and the work, and between two ticks: so that much is done at once. */
const interval = Duration.toMillis("1 second")
/** Sessions looked at, at the start, before others have a turn. */
const pieceOfStored = 100
/** Idempotency keys answer for 24 hours (design §4, bounds). */
const receiptsFor = Duration.toMillis("24 hours")
const never = Number.POSITIVE_INFINITY

/**
 * Frees what no longer counts, in small pieces between commits, so that no producer or watcher waits for it. What counts
 * is decided before, in the actors: `oldest` moves at once, its disk space follows. It sleeps until something can be due.
 */
export const make = (options: {
  readonly retainFor: Duration.Duration | undefined
  /** Events kept per session; `undefined` = all. */
  readonly retainEvents: number | undefined
  readonly find: (session: SessionId) => SessionActor | undefined
}) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const writer = yield* StoreWriter
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const eventsFor = options.retainFor === undefined ? undefined : Duration.toMillis(options.retainFor)
    /** What is committed now can be due after so long, not before. */
    const shortest = Math.max(Math.min(receiptsFor, eventsFor ?? receiptsFor) + 1, interval)
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

    /** What the store refuses waits for the next tick; the other sessions do not wait for it. */
    const trim = Effect.suspend(() => {
      const due = Array.from(trimmable)
      trimmable.clear()
      return Effect.validateAll(
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

    /** Logs that have more than is kept though nobody opens them: from before a stop, or before the setting. */
    const trimStored = (retainEvents: number, after?: SessionId): Effect.Effect<void, StoreError | Overloaded> =>
      Effect.gen(function* () {
        const records = yield* store.list({ after, limit: pieceOfStored })
        for (const { epoch, head, oldest, session } of records) {
          const kept = head - retainEvents + 1
          if (oldest < kept) yield* trimOf(session, options.find(session)?.epoch ?? epoch, kept)
          after = session
        }
        yield* EventLoop.turn
        if (records.length === pieceOfStored) yield* trimStored(retainEvents, after)
      })

    /** Asked between commits, so that the live actors are those of the logs that were looked at. */
    const look = (keptFor: number) =>
      Effect.suspend(() => store.expired(now() - keptFor)).pipe(
        Effect.map((expired) =>
          expired.map(({ oldest, session }) => {
            const actor = options.find(session)
            actor?.moveOldest(oldest)
            return { session, oldest, epoch: actor?.epoch }
          })
        )
      )

    const expire = (keptFor: number) =>
      Effect.repeat(
        Effect.flatMap(writer.run(look(keptFor)), (expired) =>
          Effect.as(
            Effect.forEach(expired, ({ epoch, oldest, session }) => trimOf(session, epoch, oldest), { discard: true }),
            expired.length > 0
          )
        ),
        { while: (more) => more }
      )

    const sweep = drain(Effect.suspend(() => store.sweep(now() - receiptsFor)))

    /** When something of what is stored now can be due. Nothing is before it is older than it is kept for. */
    const nextDue = Effect.map(store.oldest, ({ event, receipt }) => {
      const receiptDue = Option.match(receipt, { onNone: () => never, onSome: (at) => at + receiptsFor + 1 })
      const eventDue = Option.match(event, { onNone: () => never, onSome: (at) => at + (eventsFor ?? never) + 1 })
      return Math.max(Math.min(receiptDue, eventDue), now() + interval)
    })

    const tick = Effect.all([trim, eventsFor === undefined ? Effect.void : expire(eventsFor), sweep], {
      discard: true
    })

    const later = (what: string) => (cause: Cause.Cause<unknown>) =>
      Effect.zipRight(Metric.increment(Metrics.storeErrors), Effect.logWarning(what, cause))

    // Interrupted between two pieces: the rest is found again at the next start, by this.
    if (options.retainEvents !== undefined) {
      yield* trimStored(options.retainEvents).pipe(
        Effect.tapErrorCause(later("what is stored beyond the number to keep is looked for again")),
        Effect.retry(Schedule.spaced("1 minute")),
        Effect.forkScoped
      )
    }

    // Interrupted between two pieces: as above.
    const alarm = yield* Alarm.make(
      Effect.catchAllCause(Effect.zipRight(tick, nextDue), (cause) =>
        Effect.map(later("retention is tried again later")(cause), () => now() + interval)
      )
    )
    const soon = () => alarm.set(now() + interval)
    // What a former process left is asked for once.
    soon()

    return {
      /** Bounded by the sessions that were active since the last tick. */
      add: (actor: SessionActor) => {
        if (trimmable.size === 0) soon()
        trimmable.set(actor.session, { oldest: actor.oldest, epoch: actor.epoch })
      },
      /** Something was committed at this time (epoch milliseconds). */
      stored: (at: number) => alarm.set(at + shortest),
      /** A session was removed. */
      soon
    } as const
  })
