import { Cause, Effect, Metric, Option, Schedule } from "effect"
import type { JournalChange } from "../store/ConnectionJournal.ts"
import { JournalWriter } from "../store/JournalWriter.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { type CallbackError, Callbacks, type DisconnectCall } from "./Callbacks.ts"

/** After 1 s, 2 s, 4 s …, at most 60 s apart: 50 s and the fifth that the jitter adds. */
export const pace = Schedule.exponential("1 second").pipe(
  Schedule.union(Schedule.spaced("50 seconds")),
  Schedule.jittered
)

/** For an hour (design §6): the last wait, of a minute at most, begins within 59 minutes. */
export const patience = Schedule.upTo(pace, "59 minutes")

/** In a line, for people. */
export const answered = (error: CallbackError): string => {
  switch (error._tag) {
    case "BackendRefused":
      return `the backend answered ${error.status} ${error.reason}`.trimEnd()
    case "BackendRedirected":
      return `the backend answered ${error.status}, a redirect`
    case "BackendTimeout":
      return "the backend gave no whole answer in time"
    case "BackendUnavailable":
      return error.problem
  }
}

const problemOf = (cause: Cause.Cause<CallbackError>): string =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => `the callback died: ${String(Cause.squash(cause))}`,
    onSome: answered
  })

/**
 * Tells the backend of one disconnect until it has heard, or gives up and leaves a dead letter. Never fails. Interrupted, it
 * leaves the disconnect in the journal, where the next start finds it.
 */
export const make = Effect.gen(function* () {
  const callbacks = yield* Callbacks
  const writer = yield* JournalWriter
  const clock = yield* Effect.clock

  /** A defect of one try is one more failed try. */
  const failed = (token: string, attempts: number) => (cause: Cause.Cause<CallbackError>) => {
    const line = `try ${attempts} to tell the backend of disconnect ${token} failed: ${problemOf(cause)}`
    return Cause.isFailure(cause)
      ? Effect.logWarning(line)
      : Effect.zipRight(Metric.increment(Metrics.outboxFailures), Effect.logError(line, cause))
  }

  /** The store may refuse, or die, for as long as a backend may; after that, the next start tells the backend once more. */
  const settle = (change: JournalChange) =>
    Effect.sandbox(writer.record(change)).pipe(
      Effect.retry(patience),
      Effect.catchAll((cause) =>
        Effect.logError(`the journal does not take ${change._tag} of disconnect ${change.token}`, cause)
      )
    )

  const giveUp = (call: DisconnectCall, attempts: number, cause: Cause.Cause<CallbackError>) =>
    Effect.suspend(() => {
      const { reason, token } = call
      const at = clock.unsafeCurrentTimeMillis()
      const problem = problemOf(cause)
      return Effect.all(
        [
          Metric.increment(Metrics.disconnectsGivenUp),
          Effect.logError(`disconnect ${token} is given up after ${attempts} tries: ${problem}`),
          // Where the journal did not take that it is owed, it does now; else this changes nothing.
          settle({ _tag: "Owe", token, reason, at }),
          settle({ _tag: "GiveUp", token, attempts, problem, at })
        ],
        { discard: true }
      )
    })

  return ({ reason, request, token }: DisconnectCall): Effect.Effect<void> =>
    Effect.suspend(() => {
      const call = { token, request, reason }
      let attempts = 0
      const attempt = Effect.suspend(() => {
        attempts += 1
        if (attempts > 1) Metrics.disconnectsRetried.unsafeUpdate(1, [])
        return Effect.tapError(Effect.sandbox(callbacks.disconnect(call)), failed(token, attempts))
      })
      return Effect.matchEffect(Effect.retry(attempt, patience), {
        onFailure: (cause) => giveUp(call, attempts, cause),
        onSuccess: () =>
          Effect.zipRight(Metric.increment(Metrics.disconnectsDelivered), settle({ _tag: "Forget", token }))
      })
    })
})
