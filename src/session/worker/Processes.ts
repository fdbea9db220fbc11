import { Context, Duration, Effect, FiberSet, Layer, Schedule, type Scope } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import { ShuttingDown } from "../../domain/GatewayError.ts"
import {
  AlreadyRuns,
  type AppendError,
  type MessageConflict,
  NothingRuns,
  type SessionNotFound,
  type StoreError
} from "../../domain/SessionError.ts"
import type { Process } from "../../process/Process.ts"
import type { EventStore } from "../../store/EventStore.ts"
import type { StoreWriter } from "../../store/StoreWriter.ts"
import * as Decisions from "../Decisions.ts"
import * as MessageDispatch from "../inbox/MessageDispatch.ts"
import { Messages, type NewMessage, type Receipt } from "../inbox/Messages.ts"
import * as ProcessRecord from "./ProcessRecord.ts"
import * as ProcessRun from "./ProcessRun.ts"
import type { SessionActor } from "../SessionActor.ts"
import { SessionRegistry } from "../SessionRegistry.ts"

export interface Options {
  /** Of an interrupt, of each sub-task that it stops, and of a stop: then the next harder measure. */
  readonly deadline: Duration.Duration
  /** Bytes of one append of a process's output. */
  readonly maxAppendBytes: number
}

export const defaults: Options = {
  deadline: Duration.seconds(5),
  maxAppendBytes: 4 * 1024 * 1024
}

/** Where the log tells that it was asked for; its outcome follows there. */
export interface Accepted {
  readonly session: SessionId
  readonly seq: number
}

export type ControlError = NothingRuns | AppendError | MessageConflict

/** The processes that work for the sessions of this server (design §5), at most one each. */
export class Processes extends Context.Tag("sluice/session/Processes")<
  Processes,
  {
    /**
     * Puts a process to work for a session, which is created when there is none. Done when that is in the log: whether it
     * starts, and how it ends, is told there. `isResumable`: when the server lets go of it, the session is DETACHED and waits
     * for another one, instead of ENDED.
     */
    readonly attach: (
      session: SessionId,
      process: Effect.Effect<Process, unknown, Scope.Scope>,
      options?: { readonly isResumable?: boolean }
    ) => Effect.Effect<Accepted, AlreadyRuns | ShuttingDown | AppendError>
    /** A message that comes along is stored first, and dispatched when the interrupt has its outcome, whatever that is. */
    readonly interrupt: (session: SessionId, message?: NewMessage) => Effect.Effect<Accepted | Receipt, ControlError>
    /** A message that comes along is stored first; the process may end before it takes it, which is told. */
    readonly stop: (session: SessionId, message?: NewMessage) => Effect.Effect<Accepted | Receipt, ControlError>
    /** Those at work now. */
    readonly size: () => number
    /** No process begins any more; done when all have ended, or were let go of. */
    readonly drain: Effect.Effect<void>
  }
>() {}

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const sessions = yield* SessionRegistry
    const messages = yield* Messages
    const dispatch = yield* MessageDispatch.make
    const context = yield* Effect.context<EventStore>()
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const runs = new Map<SessionId, ProcessRun.ProcessRun>()
    // Before the fibers are interrupted: those that wait for the store with their last words do not notice that.
    yield* Effect.addFinalizer(() => Effect.forEach(runs.values(), (run) => run.abandon, { discard: true }))
    /** From before their sessions are awake. */
    const attaching = new Set<SessionId>()
    const idle = yield* Effect.makeLatch(true)
    let isDraining = false

    const rooms: ProcessRun.Rooms = {
      sessions,
      dispatch,
      fork,
      deadline: options.deadline,
      maxBytes: options.maxAppendBytes
    }

    const changed = (): void => {
      if (runs.size === 0 && attaching.size === 0) idle.unsafeOpen()
      else idle.unsafeClose()
    }

    /** A process that still ends for a log that was deleted is nobody's any more. */
    const find = (
      session: SessionId
    ): Effect.Effect<ProcessRun.ProcessRun, NothingRuns | SessionNotFound | StoreError> =>
      Effect.suspend(() => {
        const run = runs.get(session)
        if (run !== undefined && sessions.find(session)?.epoch === run.epoch) return Effect.succeed(run)
        return Effect.zipRight(sessions.get(session), new NothingRuns({ session }))
      })

    const admitted = (session: SessionId): Effect.Effect<void, ShuttingDown | AlreadyRuns> =>
      Effect.suspend((): Effect.Effect<void, ShuttingDown | AlreadyRuns> => {
        if (isDraining) return new ShuttingDown()
        return runs.has(session) ? new AlreadyRuns({ session }) : Effect.void
      })

    const reserved = (session: SessionId) =>
      Effect.acquireRelease(
        Effect.suspend((): Effect.Effect<void, ShuttingDown | AlreadyRuns> => {
          if (attaching.has(session)) return new AlreadyRuns({ session })
          attaching.add(session)
          changed()
          return Effect.void
        }),
        () =>
          Effect.sync(() => {
            attaching.delete(session)
            changed()
          })
      )

    /** Awake until the worker is set: in the same step. */
    const awake = (session: SessionId): Effect.Effect<SessionActor, StoreError> =>
      Effect.flatMap(sessions.start(session), (actor) =>
        sessions.find(session) === actor ? Effect.succeed(actor) : awake(session)
      )

    const attach = (session: SessionId, process: ProcessRun.Job["process"], isResumable: boolean) =>
      Effect.gen(function* () {
        yield* reserved(session)
        const { epoch } = yield* awake(session)
        const run = yield* Effect.provide(ProcessRun.make({ session, epoch, process, isResumable }, rooms), context)
        const actor = yield* awake(session)
        yield* admitted(session)
        const release = Effect.sync(() => {
          runs.delete(session)
          actor.dismiss(run)
          changed()
        })
        runs.set(session, run)
        actor.worker = run
        const attached = sessions.decide(session, Decisions.attach(epoch, ProcessRecord.encode({ isResumable })))
        const { first } = yield* attached.pipe(
          // Whether it is in the log nobody knows: at worst it says twice that a process is starting.
          Effect.retry({
            while: ({ _tag }) => _tag === "SessionInterrupted",
            times: 3,
            schedule: Schedule.spaced("100 millis")
          }),
          Effect.tapErrorCause(() => release)
        )
        fork(Effect.ensuring(run.life, release))
        return { session, seq: first }
      }).pipe(Effect.scoped, Effect.uninterruptible, (attach) => Effect.zipRight(admitted(session), attach))

    return Processes.of({
      attach: (session, process, { isResumable = false } = {}) => attach(session, process, isResumable),

      interrupt: (session, message) =>
        Effect.flatMap(find(session), (run): Effect.Effect<Accepted | Receipt, ControlError> => {
          if (message === undefined) return Effect.map(run.interrupt, (seq) => ({ session, seq }))
          return run.interruptWith(messages.accept(session, message, [{ event: "interrupting" }]))
        }),

      stop: (session, message) =>
        Effect.flatMap(find(session), (run): Effect.Effect<Accepted | Receipt, ControlError> => {
          const stopped = Effect.map(run.stop(undefined), (seq) => ({ session, seq }))
          if (message === undefined) return stopped
          return Effect.zipLeft(messages.accept(session, message), stopped)
        }),

      size: () => runs.size,

      drain: Effect.suspend(() => {
        isDraining = true
        const released = Effect.forEach(Array.from(runs.values()), (run) => run.release, {
          concurrency: "unbounded",
          discard: true
        })
        return Effect.zipRight(released, idle.await)
      })
    })
  })

/** Closed, it ends the processes that were not drained. */
export const layer = (
  options: Options = defaults
): Layer.Layer<Processes, never, SessionRegistry | Messages | EventStore | StoreWriter> =>
  Layer.scoped(Processes, make(options))
