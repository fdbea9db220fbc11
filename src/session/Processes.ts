import { Context, Duration, Effect, FiberSet, Layer, type Scope } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { ShuttingDown } from "../domain/GatewayError.ts"
import {
  AlreadyRuns,
  type AppendError,
  type MessageConflict,
  NothingRuns,
  SessionNotFound,
  type StoreError
} from "../domain/SessionError.ts"
import type { Process } from "../process/Process.ts"
import type { EventStore } from "../store/EventStore.ts"
import type { StoreWriter } from "../store/StoreWriter.ts"
import * as Decisions from "./Decisions.ts"
import * as MessageDispatch from "./MessageDispatch.ts"
import { Messages, type NewMessage, type Receipt } from "./Messages.ts"
import * as ProcessRecord from "./ProcessRecord.ts"
import * as ProcessRun from "./ProcessRun.ts"
import { SessionRegistry } from "./SessionRegistry.ts"

export interface Options {
  /** Of an interrupt, of each sub-task that it stops, and of a stop: then the next harder measure. */
  readonly deadline: Duration.Duration
  /** Bytes of one append of a process's output. */
  readonly maxAppendBytes: number
  /** False: messages go to the backend. */
  readonly takesMessages: boolean
}

export const defaults: Options = {
  deadline: Duration.seconds(5),
  maxAppendBytes: 4 * 1024 * 1024,
  takesMessages: true
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
    const fork = yield* FiberSet.makeRuntime<never, void, never>()
    const runs = new Map<SessionId, ProcessRun.ProcessRun>()
    /** From before their sessions are awake. */
    const attaching = new Set<SessionId>()
    let isDraining = false

    const rooms: ProcessRun.Rooms = {
      decide: sessions.decide,
      dispatch,
      deadline: options.deadline,
      fork,
      maxBytes: options.maxAppendBytes,
      takesMessages: options.takesMessages
    }

    const find = (
      session: SessionId
    ): Effect.Effect<ProcessRun.ProcessRun, NothingRuns | SessionNotFound | StoreError> =>
      Effect.suspend(() => {
        const run = runs.get(session)
        if (run !== undefined) return Effect.succeed(run)
        return Effect.flatMap(
          sessions.start(session),
          ({ exists }): Effect.Effect<never, NothingRuns | SessionNotFound> =>
            exists ? new NothingRuns({ session }) : new SessionNotFound({ session })
        )
      })
    const reserved = (session: SessionId) =>
      Effect.acquireRelease(
        Effect.suspend((): Effect.Effect<void, ShuttingDown | AlreadyRuns> => {
          if (isDraining) return new ShuttingDown()
          if (runs.has(session) || attaching.has(session)) return new AlreadyRuns({ session })
          attaching.add(session)
          return Effect.void
        }),
        () => Effect.sync(() => attaching.delete(session))
      )

    const attach = (session: SessionId, process: ProcessRun.Job["process"], isResumable: boolean) =>
      Effect.gen(function* () {
        yield* reserved(session)
        const actor = yield* sessions.start(session)
        const { epoch } = actor
        const run = yield* ProcessRun.make({ session, epoch, process, isResumable }, rooms)
        const release = Effect.sync(() => {
          runs.delete(session)
          if (actor.worker === run) actor.worker = undefined
        })
        runs.set(session, run)
        actor.worker = run
        const record = ProcessRecord.encode({ isResumable })
        const { first } = yield* Effect.tapErrorCause(
          sessions.decide(session, Decisions.attach(epoch, record)),
          () => release
        )
        fork(Effect.ensuring(run.life, release))
        return { session, seq: first }
      }).pipe(Effect.scoped, Effect.uninterruptible)

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
        return Effect.forEach(Array.from(runs.values()), (run) => run.release, {
          concurrency: "unbounded",
          discard: true
        })
      })
    })
  })

/** Closed, it ends the processes that were not drained. */
export const layer = (
  options: Options = defaults
): Layer.Layer<Processes, never, SessionRegistry | Messages | EventStore | StoreWriter> =>
  Layer.scoped(Processes, make(options))
