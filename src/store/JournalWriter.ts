import { Cause, Context, Effect, Exit, Layer, Metric } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import { StoreError } from "../domain/SessionError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { whileBusy } from "./Busy.ts"
import { ConnectionJournal, type JournalChange } from "./ConnectionJournal.ts"
import { EventLoop } from "./EventLoop.ts"

/**
 * Group commit for the journal: what is recorded in one turn of the event loop is one transaction. Bounded without a
 * number of its own: a connection has one change waiting, rarely two, and connections are bounded where they are accepted.
 */
export class JournalWriter extends Context.Tag("sluice/store/JournalWriter")<
  JournalWriter,
  {
    /**
     * Success: it is durable. Changes are made in the order of the calls; one that was taken is finished, also when its
     * caller is interrupted. After the writer's end: `Unavailable`.
     */
    readonly record: (change: JournalChange) => Effect.Effect<void, StoreError>
  }
>() {}

interface Waiting {
  readonly change: JournalChange
  readonly settle: (exit: Exit.Exit<void, StoreError>) => void
}

export const make = Effect.gen(function* () {
  const journal = yield* ConnectionJournal
  const { immediate } = yield* EventLoop
  let waiting: Array<Waiting> = []
  let isClosed = false
  let wake: (() => void) | undefined

  const rouse = () => {
    if (wake === undefined) return
    immediate(wake)
    wake = undefined
  }

  /** Interrupted while parked: the next turn never begins; what waits is settled by the finalizer. */
  const parked = Effect.async<void>((resume) => {
    wake = () => resume(Effect.void)
    if (waiting.length > 0) rouse()
    return Effect.sync(() => {
      wake = undefined
    })
  })

  const refused = (cause: Cause.Cause<StoreError>) =>
    Cause.isFailure(cause)
      ? Metric.increment(Metrics.storeErrors)
      : Effect.zipRight(
          Metric.increment(Metrics.journalWriterFailures),
          Effect.logError("a commit of the journal died", cause)
        )

  /** An exit, whatever the journal does: no turn can end the writer. */
  const commit = (changes: NonEmptyReadonlyArray<JournalChange>) =>
    Effect.suspend(() => journal.commit(changes)).pipe(
      Effect.retry(whileBusy),
      Effect.tapErrorCause(refused),
      Effect.exit
    )

  const settleOne = ({ change, settle }: Waiting) =>
    Effect.flatMap(commit([change]), (exit) => Effect.sync(() => settle(exit)))

  // Uninterruptible: what was taken is committed and answered.
  const turn = Effect.suspend(() => {
    const taken = waiting
    waiting = []
    const [first, ...rest] = taken
    if (first === undefined) return Effect.void
    return Effect.flatMap(commit([first.change, ...rest.map(({ change }) => change)]), (exit) => {
      // A defect: each by itself, so that one bad change cannot fail its neighbours. What was made already changes nothing.
      if (Exit.isFailure(exit) && !Cause.isFailure(exit.cause) && rest.length > 0) {
        return Effect.forEach(taken, settleOne, { discard: true })
      }
      return Effect.sync(() => {
        for (const { settle } of taken) settle(exit)
      })
    })
  }).pipe(Effect.uninterruptible)

  // What comes from now on is refused; what waits is committed in a last turn.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      isClosed = true
      return turn
    })
  )
  yield* Effect.whileLoop({
    while: () => true,
    body: () => Effect.zipRight(parked, turn),
    step: () => {}
  }).pipe(Effect.forkScoped)

  return JournalWriter.of({
    record: (change) =>
      // No canceler: an interrupted caller is not waited for, and its change is made all the same.
      Effect.async((resume) => {
        if (isClosed) return resume(new StoreError({ reason: "Unavailable", cause: "the journal writer is closed" }))
        waiting.push({ change, settle: resume })
        rouse()
      })
  })
})

export const layer: Layer.Layer<JournalWriter, never, ConnectionJournal> = Layer.scoped(JournalWriter, make)
