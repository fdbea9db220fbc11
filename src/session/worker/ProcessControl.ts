import { Deferred, type Duration, Effect, Fiber, FiberId } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import { type AppendError, NothingRuns } from "../../domain/SessionError.ts"
import type { Process } from "../../process/Process.ts"
import type * as SessionEvent from "../../protocol/SessionEvent.ts"
import { problemOf, within } from "../Deadline.ts"
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
  /** Never waits for a store that does not answer. */
  readonly tell: (body: SessionEvent.Process) => Effect.Effect<void>
  /** Records in the log that it is asked for, before anything is done. The place there. */
  readonly recordInterrupt: Effect.Effect<number, AppendError>
  readonly recordStop: (reason: string) => Effect.Effect<number, AppendError>
  /** Nobody waits for it; it ends with the server. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
}

/** `isNew`: it was not recorded before. */
interface Recorded {
  readonly isNew: boolean
}

type Accepted = Deferred.Deferred<number, AppendError>

/**
 * What is asked of one process: to interrupt what it does, and to stop. Outcomes are told in the log. A request that comes
 * while another one is under way joins it: a hundred interrupts at once are one, and so are a hundred stops. An interrupt that
 * cannot be recorded is not made; a stop is, since a process that fills the disk must not live by that.
 */
export const make = (options: Options) =>
  Effect.gen(function* () {
    const { breakOff, deadline, fork, gone, process, recordInterrupt, recordStop, session, tell } = options
    const messagesAllowed = yield* Effect.makeLatch(true)
    let holds = 0
    let isOver = false
    let isStopping = false
    let interruptAsked: Accepted | undefined
    let interruption: Fiber.RuntimeFiber<void> | undefined
    let hasOutcome = false
    let stopAsked: Accepted | undefined

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

    const beginToStop = (): void => {
      if (isStopping || isOver) return
      isStopping = true
      fork(stopNow)
    }

    /** One record for all that ask at once. The slot is free again when it failed, or when `isDone` is called. */
    const shared = (
      asked: Accepted | undefined,
      set: (asked: Accepted | undefined) => void,
      record: Effect.Effect<number, AppendError>
    ): Effect.Effect<Recorded & { readonly seq: number }, AppendError> => {
      if (asked !== undefined) return Effect.map(Deferred.await(asked), (seq) => ({ seq, isNew: false }))
      const mine = Deferred.unsafeMake<number, AppendError>(FiberId.none)
      set(mine)
      return record.pipe(
        Effect.onExit((exit) => {
          if (exit._tag === "Failure") set(undefined)
          return Deferred.done(mine, exit)
        }),
        Effect.map((seq) => ({ seq, isNew: true })),
        Effect.uninterruptible
      )
    }

    const stop = (reason = "stopped"): Effect.Effect<number, AppendError | NothingRuns> =>
      Effect.suspend((): Effect.Effect<number, AppendError | NothingRuns> => {
        if (isOver) return new NothingRuns({ session })
        const recorded = shared(
          stopAsked,
          (asked) => {
            stopAsked = asked
          },
          recordStop(reason)
        )
        return Effect.map(Effect.ensuring(recorded, Effect.sync(beginToStop)), ({ seq }) => seq)
      })

    /** Told whole, or not at all, when the process ends meanwhile. */
    const tellOutcome = (body: SessionEvent.Process) =>
      Effect.uninterruptible(
        Effect.suspend(() => {
          hasOutcome ||= body.event === "interrupted" || body.event === "interrupt_failed"
          return tell(body)
        })
      )

    const interruptNow = Effect.suspend(() => {
      const running = process()
      hasOutcome = false
      return running === undefined
        ? tellOutcome({ event: "interrupt_failed", problem: "it has not started yet" })
        : Effect.flatMap(Interruption.run(running, deadline, tellOutcome), (isLate) =>
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

    /** `record` gives the request, or what came with it, its place in the log. */
    const interruptWith = <A extends Recorded, E>(record: Effect.Effect<A, E>): Effect.Effect<A, E | NothingRuns> =>
      Effect.suspend((): Effect.Effect<A, E | NothingRuns> => {
        if (isOver || isStopping) return new NothingRuns({ session })
        const begin = ({ isNew }: Recorded): Effect.Effect<void> =>
          Effect.suspend(() => {
            if (!isNew) return Effect.void
            if (interruption !== undefined) {
              // One that has told its outcome has none for what was recorded behind that.
              return hasOutcome ? Effect.flatMap(Fiber.await(interruption), () => begin({ isNew })) : Effect.void
            }
            if (isOver || isStopping)
              return tell({ event: "interrupt_failed", problem: "the process is being stopped" })
            interruption = fork(interruptNow)
            return Effect.void
          })
        return holdingMessages(Effect.tap(record, begin))
      })

    return {
      messagesAllowed: messagesAllowed.await,
      interruptWith,
      interrupt: Effect.map(
        interruptWith(
          Effect.suspend(() =>
            shared(
              interruptAsked,
              (asked) => {
                interruptAsked = asked
              },
              recordInterrupt
            )
          )
        ),
        ({ seq }) => seq
      ),
      stop,
      /** The session was moved to its end by someone else, as the log tells at `seq`: a stop. */
      closing: (seq: number): void => {
        if (stopAsked === undefined) {
          stopAsked = Deferred.unsafeMake<number, AppendError>(FiberId.none)
          Deferred.unsafeDone(stopAsked, Effect.succeed(seq))
        }
        beginToStop()
      },
      /** From now on nothing is asked of it: its log is another one's. */
      over: (): void => {
        isOver = true
      },
      /** From now on nothing runs. True when an interrupt was under way: it has no outcome of its own any more. */
      end: Effect.suspend(() => {
        isOver = true
        if (interruption === undefined) return Effect.succeed(false)
        return Effect.map(Fiber.interrupt(interruption), () => !hasOutcome)
      })
    } as const
  })

export type ProcessControl = Effect.Effect.Success<ReturnType<typeof make>>
