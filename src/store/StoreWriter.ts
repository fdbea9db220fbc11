/**
 * Group commit (hot path): everything that waits is made durable in one transaction per turn of the event loop.
 *
 * One fiber, the only caller of what writes in `EventStore`. A source asks for a turn; the turn begins after the sockets
 * of this loop turn were read (`setImmediate`), so that the requests which arrived together share one commit, and a lone
 * append waits for nothing. Sources are plain objects called synchronously, not fibers with queues: a `Deferred` and a
 * queue per append cost 20 to 30 µs (34 k appends/s), this costs 1 to 2.
 */
import { Cause, Context, Effect, Exit, Layer, Metric } from "effect"
import { Overloaded, type StoreError } from "../domain/SessionError.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { Batch } from "./Batch.ts"
import { whileBusy } from "./Busy.ts"
import { EventLoop } from "./EventLoop.ts"
import { EventStore } from "./EventStore.ts"

/** What has appends waiting. The writer calls it, within a turn, in the order of its methods. */
export interface Source {
  /** What to commit now; `at` in epoch milliseconds. Nothing may be seen of it before `committed`. */
  readonly prepare: (at: number) => ReadonlyArray<Batch>
  /** It is durable: answer the producers. */
  readonly committed: () => void
  /** Offer it to the watchers. Called after all producers of the turn were answered: their next requests gather meanwhile. */
  readonly publish: () => void
  /** Nothing of it was stored. */
  readonly failed: (error: StoreError) => void
  /** A defect: the outcome is unknown. */
  readonly died: (cause: Cause.Cause<never>) => void
}

export interface Options {
  /** Appends that wait, of all sessions. Full: `Overloaded` to the producer. */
  readonly maxAppends: number
  /** Their bytes. */
  readonly maxBytes: number
}

export const defaults: Options = { maxAppends: 8192, maxBytes: 32 * 1024 * 1024 }

/** Other writes that wait for their turn (deletes, pieces of retention). */
const maxTasks = 1024

export class StoreWriter extends Context.Tag("sluice/store/StoreWriter")<
  StoreWriter,
  {
    /** Takes an append of `bytes` into the bounds, or refuses it. Every append taken is given back by `release`. */
    readonly admit: (bytes: number) => boolean
    readonly release: (appends: number, bytes: number) => void
    /** Appends that were taken and not given back yet: they wait, or are in commit. */
    readonly waiting: () => number
    /** Asks for a turn. Once per source until its `prepare` was called. */
    readonly request: (source: Source) => void
    /** Runs another write between commits, where no append is in flight. */
    readonly run: <A, E>(write: Effect.Effect<A, E>) => Effect.Effect<A, E | Overloaded>
  }
>() {}

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const clock = yield* Effect.clock
    const { immediate } = yield* EventLoop
    let sources: Array<Source> = []
    let tasks: Array<Effect.Effect<void>> = []
    let appends = 0
    let bytes = 0
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
      if (sources.length > 0 || tasks.length > 0) rouse()
      return Effect.sync(() => {
        wake = undefined
      })
    })

    const commit = (batches: ReadonlyArray<Batch>) => {
      const [head, ...tail] = batches
      if (head === undefined) return Effect.void
      Metrics.commits.unsafeUpdate(1, [])
      return Effect.catchAll(store.commit([head, ...tail]), (error) =>
        Effect.tapError(
          error.reason === "Busy" ? Effect.retry(store.commit([head, ...tail]), whileBusy) : Effect.fail(error),
          () => Metric.increment(Metrics.storeErrors)
        )
      )
    }

    const settle = (taken: ReadonlyArray<Source>, exit: Exit.Exit<void, StoreError>) => {
      if (Exit.isSuccess(exit)) {
        for (const source of taken) contain(source, () => source.committed())
        for (const source of taken) contain(source, () => source.publish())
        return
      }
      const failure = Cause.failureOption(exit.cause)
      for (const source of taken) {
        if (failure._tag === "Some") contain(source, () => source.failed(failure.value))
        else source.died(Cause.die(Cause.squash(exit.cause)))
      }
    }

    const turn = Effect.suspend(() => {
      const waiting = sources
      sources = []
      const at = clock.unsafeCurrentTimeMillis()
      const taken: Array<Source> = []
      const prepared: Array<ReadonlyArray<Batch>> = []
      for (const source of waiting) {
        contain(source, () => {
          prepared.push(source.prepare(at))
          taken.push(source)
        })
      }
      if (taken.length === 0) return Effect.void
      return Effect.flatMap(Effect.exit(commit(prepared.flat())), (exit) => {
        if (Exit.isSuccess(exit) || Cause.isFailure(exit.cause) || taken.length === 1) {
          return Effect.sync(() => settle(taken, exit))
        }
        // A defect: one source by itself, so that one bad batch cannot fail its neighbours.
        return Effect.forEach(
          taken,
          (source, index) =>
            Effect.flatMap(Effect.exit(commit(prepared[index] ?? [])), (own) =>
              Effect.sync(() => settle([source], own))
            ),
          { discard: true }
        )
      })
    })

    const others = Effect.suspend(() => {
      const waiting = tasks
      tasks = []
      return Effect.all(waiting, { discard: true })
    })

    // Uninterruptible: what was prepared is committed, answered and published, or none of it.
    const both = Effect.uninterruptible(
      Effect.suspend(() => (tasks.length === 0 ? turn : Effect.zipRight(others, turn)))
    )

    const survived = Effect.catchAllCause(both, (cause) =>
      Effect.zipRight(
        Metric.increment(Metrics.writerFailures),
        Effect.logError("a turn of the store writer died", cause)
      )
    )

    // What comes from now on is refused; what waits is committed in a last turn.
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return survived
      })
    )
    yield* Effect.whileLoop({
      while: () => true,
      body: () => Effect.zipRight(parked, survived),
      step: () => {}
    }).pipe(Effect.forkScoped)

    const run = <A, E>(write: Effect.Effect<A, E>): Effect.Effect<A, E | Overloaded> =>
      Effect.suspend(() =>
        isClosed || tasks.length >= maxTasks
          ? Effect.fail(new Overloaded({ what: "store writer" }))
          : Effect.async<A, E | Overloaded>((resume) => {
              tasks.push(
                Effect.map(Effect.exit(Effect.retry(write, whileBusy)), (exit) => {
                  resume(exit)
                })
              )
              rouse()
            })
      )

    return StoreWriter.of({
      admit: (size) => {
        if (isClosed || appends >= options.maxAppends || bytes + size > options.maxBytes) return false
        appends += 1
        bytes += size
        return true
      },
      release: (count, size) => {
        appends -= count
        bytes -= size
      },
      waiting: () => appends,
      request: (source) => {
        sources.push(source)
        rouse()
      },
      run
    })
  })

/** The boundary that keeps a defect of one source from its neighbours and from the writer. */
const contain = (source: Source, step: () => void): void => {
  try {
    step()
  } catch (defect) {
    source.died(Cause.die(defect))
  }
}

export const layer = (options: Options = defaults): Layer.Layer<StoreWriter, never, EventStore> =>
  Layer.scoped(StoreWriter, make(options))
