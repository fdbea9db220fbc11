import { Duration, Effect, Metric, Schedule } from "effect"
import type { StoreError } from "../domain/SessionError.ts"
import { ConnectionJournal, type DeadLetter } from "../store/ConnectionJournal.ts"
import * as EventLoop from "../store/EventLoop.ts"
import * as Metrics from "../telemetry/Metrics.ts"

/** Kept for so long (design §6), and looked through each hour. */
const keptFor = Duration.days(7)
const interval = Duration.hours(1)

/** The disconnects that were given up; forgotten in small pieces when they are old, until the scope closes. */
export const make = Effect.gen(function* () {
  const journal = yield* ConnectionJournal
  const clock = yield* Effect.clock

  const sweep = EventLoop.pieces(
    Effect.suspend(() => journal.sweepDead(clock.unsafeCurrentTimeMillis() - Duration.toMillis(keptFor)))
  )

  yield* sweep.pipe(
    Effect.catchAllCause((cause) =>
      Effect.zipRight(
        Metric.increment(Metrics.storeErrors),
        Effect.logWarning("old dead letters are forgotten later", cause)
      )
    ),
    Effect.repeat(Schedule.spaced(interval)),
    Effect.forkScoped
  )

  return {
    list: journal.dead,
    /** Tokens are UUIDs: no more than 16 differ from each other in the last digit alone. */
    find: (token: string): Effect.Effect<DeadLetter | undefined, StoreError> =>
      Effect.map(journal.dead({ after: token.slice(0, -1), limit: 16 }), (found) =>
        found.find((letter) => letter.token === token)
      )
  } as const
})
