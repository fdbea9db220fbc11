import { Deferred, type Duration, Effect, Fiber, FiberId } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { type AppendError, NothingRuns } from "../domain/SessionError.ts"
import type { Process } from "../process/Process.ts"
import type * as SessionEvent from "../protocol/SessionEvent.ts"
import { problemOf, within } from "./Deadline.ts"
import * as Interruption from "./Interruption.ts"

export interface Options {
  readonly session: SessionId
  /** Of a sub-task, of an interrupt, of a stop. */
  readonly deadline: Duration.Duration
  /** `undefined` until it is made. */
  readonly process: () => Process | undefined
  /** Done when it has ended. */
  readonly gone: Effect.Effect<void>
  /** Ends it now, whatever it does. */
  readonly breakOff: Effect.Effect<void>
  readonly tell: (body: SessionEvent.Process) => Effect.Effect<void>
  /** Records in the log that it is asked for, before anything is done. The place there. */
  readonly recordInterrupt: Effect.Effect<number, AppendError>
  readonly recordStop: (reason: string | undefined) => Effect.Effect<number, AppendError>
  /** Nobody waits for it; it ends with the server. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
}

/** `isNew`: it was not recorded before. */
interface Recorded {
  readonly isNew: boolean
}

/**
 * What is asked of one process: to interrupt what it does, and to stop. Outcomes are told in the log. A request that comes
 * while another one is under way joins it: a hundred interrupts at once are one, and so are a hundred stops.
 */
export const make = (options: Options) =>
  Effect.gen(function* () {
    const { breakOff, deadline, fork, gone, process, recordInterrupt, recordStop, session, tell } = options
    const messagesAllowed = yield* Effect.makeLatch(true)
    let holds = 0
    let isOver = false
    let interruptAsked: Deferred.Deferred<number, AppendError> | undefined
    let interruption: Fiber.RuntimeFiber<void> | undefined
    let stopAsked: Deferred.Deferred<number, AppendError | NothingRuns> | undefined

    /** A message that comes with an interrupt, or after it, is for what follows. */
    const holdingMessages = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          holds += 1
          messagesAllowed.unsafeClose()
        }),
        () => effect,
        () =>
          Effect.sync(() => {
            holds -= 1
            if (holds === 0) messagesAllowed.unsafeOpen()
          })
      )

    const stopNow = Effect.gen(function* () {
      const running = process()
      if (running === undefined) return yield* breakOff
      yield* within(() => Effect.zipRight(running.stop, gone), deadline).pipe(
        Effect.catchAllCause((cause) => tell({ event: "stop_failed", problem: problemOf(cause) }))
      )
      yield* breakOff
    })

    const stop = (reason: string | undefined): Effect.Effect<number, AppendError | NothingRuns> =>
      Effect.suspend(() => {
        if (isOver) return Effect.fail(new NothingRuns({ session }))
        if (stopAsked !== undefined) return Deferred.await(stopAsked)
        const asked = Deferred.unsafeMake<number, AppendError | NothingRuns>(FiberId.none)
        stopAsked = asked
        return recordStop(reason).pipe(
          Effect.onExit((exit) => {
            if (exit._tag === "Failure") stopAsked = undefined
            else fork(stopNow)
            return Deferred.done(asked, exit)
          }),
          Effect.uninterruptible
        )
      })

    const interruptNow = Effect.suspend(() => {
      const running = process()
      return running === undefined
        ? tell({ event: "interrupt_failed", problem: "it has not started yet" })
        : Effect.flatMap(Interruption.run(running, deadline, tell), (isLate) =>
            isLate ? Effect.ignore(stop("interrupt_failed")) : Effect.void
          )
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          interruptAsked = undefined
          interruption = undefined
        })
      ),
      holdingMessages
    )

    const begin = (): void => {
      if (interruption === undefined && stopAsked === undefined && !isOver) interruption = fork(interruptNow)
    }

    /** `record` gives the request, or what came with it, its place in the log. */
    const interruptWith = <A extends Recorded, E>(record: Effect.Effect<A, E>): Effect.Effect<A, E | NothingRuns> =>
      Effect.suspend((): Effect.Effect<A, E | NothingRuns> => {
        if (isOver) return Effect.fail(new NothingRuns({ session }))
        return holdingMessages(Effect.tap(record, ({ isNew }) => Effect.sync(() => (isNew ? begin() : undefined))))
      })

    const recorded = Effect.suspend(() => {
      if (interruptAsked !== undefined) {
        return Effect.map(Deferred.await(interruptAsked), (seq) => ({ seq, isNew: false }))
      }
      const asked = Deferred.unsafeMake<number, AppendError>(FiberId.none)
      interruptAsked = asked
      return recordInterrupt.pipe(
        Effect.onExit((exit) => {
          if (exit._tag === "Failure") interruptAsked = undefined
          return Deferred.done(asked, exit)
        }),
        Effect.map((seq) => ({ seq, isNew: true })),
        Effect.uninterruptible
      )
    })

    return {
      messagesAllowed: messagesAllowed.await,
      interrupt: Effect.map(interruptWith(recorded), ({ seq }) => seq),
      interruptWith,
      stop,
      /** The session was moved to its end by someone else: as a stop, which is recorded already. */
      closing: (): void => {
        if (stopAsked !== undefined || isOver) return
        stopAsked = Deferred.unsafeMake<number, AppendError | NothingRuns>(FiberId.none)
        Deferred.unsafeDone(stopAsked, Effect.fail(new NothingRuns({ session })))
        fork(stopNow)
      },
      /** From now on nothing runs. True when an interrupt was under way: it has no outcome of its own any more. */
      end: Effect.suspend(() => {
        isOver = true
        return interruption === undefined ? Effect.succeed(false) : Effect.as(Fiber.interrupt(interruption), true)
      })
    } as const
  })

export type ProcessControl = Effect.Effect.Success<ReturnType<typeof make>>
