import { Duration, Effect, FiberMap, Metric, Schedule } from "effect"
import type { SessionId } from "../domain/Session.ts"
import type { AppendError, StoreError } from "../domain/SessionError.ts"
import * as EventLoop from "../store/EventLoop.ts"
import { EventStore } from "../store/EventStore.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { Appended, Decide } from "./Append.ts"
import * as Decisions from "./Decisions.ts"
import type { SessionActor } from "./SessionActor.ts"

/** Sessions looked at, at the start, before others have a turn. */
const pieceOfStored = 100

/** What the store, or a full mailbox, refuses is asked for again. */
const again = Schedule.spaced("1 second")

/**
 * Detaches a session that stays suspended for the grace: whoever suspended it did not come back (design §5). A fiber per
 * suspended session, also of those whose actor sleeps. Interrupted with the registry: the next start finds them again.
 */
export const make = (options: {
  readonly grace: Duration.Duration
  readonly decide: (session: SessionId, decide: Decide) => Effect.Effect<Appended, AppendError>
}) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const clock = yield* Effect.clock
    const fibers = yield* FiberMap.make<SessionId, void>()
    const suspended = new Set<SessionId>()
    const fork = yield* FiberMap.runtime(fibers)<never>()

    const detach = (session: SessionId) =>
      Effect.asVoid(
        Effect.retry(
          options.decide(session, Decisions.moveFrom("SUSPENDED", "DETACHED", "suspended_for_too_long")),
          again
        )
      ).pipe(
        Effect.catchAllCause((cause) =>
          Effect.logError("a suspended session is not detached", cause).pipe(Effect.annotateLogs({ session }))
        )
      )

    const begin = (session: SessionId, left: Duration.Duration): void => {
      suspended.add(session)
      fork(session, Effect.zipRight(Effect.sleep(left), detach(session)))
    }

    /** Those that were suspended before a restart keep their time. */
    const resume = (after?: SessionId): Effect.Effect<void, StoreError> =>
      Effect.gen(function* () {
        const records = yield* store.list({ state: "SUSPENDED", after, limit: pieceOfStored })
        for (const { session, stateAt } of records) {
          const since = Duration.millis(Math.max(0, clock.unsafeCurrentTimeMillis() - stateAt))
          if (!suspended.has(session)) begin(session, Duration.subtract(options.grace, since))
          after = session
        }
        yield* EventLoop.turn
        if (records.length === pieceOfStored) yield* resume(after)
      })

    yield* resume().pipe(
      Effect.tapErrorCause((cause) =>
        Effect.zipRight(
          Metric.increment(Metrics.storeErrors),
          Effect.logWarning("suspended sessions are looked for again", cause)
        )
      ),
      Effect.retry(again),
      Effect.forkScoped
    )

    const forget = (session: SessionId): void => {
      if (suspended.delete(session)) fork(session, Effect.void) // in place of the one that waits
    }

    return {
      /** The session was deleted, or moved on. */
      forget,
      /** To be called whenever a session came into another state. */
      moved: ({ session, state }: SessionActor): void => {
        if (state === "SUSPENDED") {
          if (!suspended.has(session)) begin(session, options.grace)
        } else forget(session)
      }
    } as const
  })
