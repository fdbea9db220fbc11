import { Deferred, Duration, Effect, Exit, Option, Schedule, Scope } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import type { SessionId } from "../domain/Session.ts"
import type { AppendError } from "../domain/SessionError.ts"
import type { Process } from "../process/Process.ts"
import * as SessionEvent from "../protocol/SessionEvent.ts"
import type { Appended, Decide } from "./Append.ts"
import { problemOf, within } from "./Deadline.ts"
import * as Decisions from "./Decisions.ts"
import * as MessageDispatch from "./MessageDispatch.ts"
import * as ProcessControl from "./ProcessControl.ts"
import * as ProcessOutput from "./ProcessOutput.ts"
import * as ProcessRecord from "./ProcessRecord.ts"
import type { Worker } from "./SessionActor.ts"

/** What is to be run, for which log. */
export interface Job {
  readonly session: SessionId
  readonly epoch: string
  /** Made in a scope of its own, whose end is the end of the process. */
  readonly process: Effect.Effect<Process, unknown, Scope.Scope>
  /** When the server lets go of it, the session waits for another one. */
  readonly isResumable: boolean
}

export interface Rooms extends Pick<ProcessControl.Options, "deadline" | "fork"> {
  readonly decide: (
    session: SessionId,
    decide: Decide,
    weight?: ReadonlyArray<NewEvent>
  ) => Effect.Effect<Appended, AppendError>
  readonly dispatch: MessageDispatch.MessageDispatch
  /** Bytes of one append of its output. */
  readonly maxBytes: number
  /** Messages go to the process. */
  readonly takesMessages: boolean
}

/** One process at work, from its start to the last event that tells of it. */
export interface ProcessRun
  extends Worker,
    Pick<ProcessControl.ProcessControl, "interrupt" | "interruptWith" | "stop"> {
  /** To be run once. Never fails; interrupted, it ends the process and says so in the log. */
  readonly life: Effect.Effect<void>
  /** The server stops: done when the process has ended, or was let go of. */
  readonly release: Effect.Effect<void>
}

/** How its work ended. `Broken`: it was ended from here. */
type Ending =
  | { readonly _tag: "NotStarted" | "Failed"; readonly problem: string }
  | { readonly _tag: "Exited" | "Broken" }

/** What may heal is tried again: the log sets the pace of the process. */
const persistently = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(effect, {
    while: ({ _tag }) => _tag === "Overloaded" || _tag === "SessionInterrupted" || _tag === "StoreError",
    schedule: Schedule.spaced("100 millis")
  })

/** The last events are not waited for longer than this when the server stops; recovery tells the end then. */
const patienceAtStop = Duration.seconds(2)

export const make = (job: Job, rooms: Rooms): Effect.Effect<ProcessRun> =>
  Effect.gen(function* () {
    const { epoch, isResumable, session } = job
    const { deadline, decide, dispatch } = rooms
    const broken = yield* Deferred.make<void>()
    const gone = yield* Deferred.make<void>()
    const told = yield* Deferred.make<void>()
    const mayHaveMessages = yield* Effect.makeLatch(true)
    let process: Process | undefined
    /** Why the session ends, when it does. */
    let reason = "exited"
    let isReleased = false

    const emit = (events: ReadonlyArray<NewEvent>) =>
      persistently(decide(session, Decisions.emit(epoch, events), events))
    /** A log that has ended hears nothing more. */
    const tell = (body: SessionEvent.Process) => Effect.ignore(emit([SessionEvent.process(body)]))
    const breakOff = Effect.asVoid(Deferred.succeed(broken, undefined))

    const control = yield* ProcessControl.make({
      ...rooms,
      session,
      process: () => process,
      gone: Deferred.await(gone),
      breakOff,
      tell,
      recordInterrupt: Effect.map(emit([SessionEvent.process({ event: "interrupting" })]), ({ last }) => last),
      recordStop: (why = "stopped") =>
        Effect.suspend(() => {
          reason = why
          return Effect.map(persistently(decide(session, Decisions.stopping(epoch, why))), ({ first }) => first)
        })
    })

    const dispatching = (running: Process) =>
      dispatch.run(session, {
        more: Effect.zipRight(mayHaveMessages.await, mayHaveMessages.close),
        allowed: control.messagesAllowed,
        send: (message) => running.send(message),
        tell
      })

    /** In `scope`, which the caller closes. */
    const work = (scope: Scope.Scope) =>
      Effect.gen(function* () {
        const started = yield* Effect.exit(
          Effect.disconnect(
            Scope.extend(
              Effect.suspend(() => job.process),
              scope
            )
          )
        )
        if (Exit.isFailure(started)) return { _tag: "NotStarted", problem: problemOf(started.cause) } as const
        const running = started.value
        process = running
        const { group, title } = running
        const record = ProcessRecord.encode({ isResumable, ...(group === undefined ? {} : { group }) })
        yield* persistently(decide(session, Decisions.started(epoch, record, title)))
        if (rooms.takesMessages) yield* Effect.forkIn(dispatching(running), scope)
        const output = yield* Effect.exit(ProcessOutput.pump(running, rooms.maxBytes, emit))
        if (Exit.isSuccess(output)) return { _tag: "Exited" } as const
        return { _tag: "Failed", problem: problemOf(output.cause) } as const
      }).pipe(
        Effect.raceFirst(Effect.as(Deferred.await(broken), { _tag: "Broken" } as const)),
        // The log has ended: nobody is left to work for.
        Effect.orElseSucceed((): Ending => ({ _tag: "Broken" }))
      )

    /** What the last events say, beside the messages that nobody will take. */
    const lastWords = (ending: Ending, wasInterrupting: boolean): Effect.Effect<ReadonlyArray<SessionEvent.Process>> =>
      Effect.gen(function* () {
        const told: Array<SessionEvent.Process> = []
        if (wasInterrupting) told.push({ event: "interrupt_failed", problem: "the process ended meanwhile" })
        if (ending._tag === "NotStarted") return [...told, { event: "start_failed", problem: ending.problem }]
        if (ending._tag === "Failed") told.push({ event: "failed", problem: ending.problem })
        if (isReleased && isResumable) return [...told, { event: "detached", problem: "the server stopped" }]
        const exit = process?.exit
        const status = exit === undefined ? Option.none() : yield* Effect.option(within(() => exit, deadline))
        return [...told, { event: "exited", ...Option.getOrElse(status, () => ({ code: null, signal: null })) }]
      })

    const settle = (ending: Ending) =>
      Effect.gen(function* () {
        const isKept = isReleased && isResumable
        const words = yield* lastWords(ending, yield* control.end)
        const open = rooms.takesMessages ? yield* dispatch.open(session) : []
        const left = open.filter(({ stage }) => !isKept || stage === "begun")
        const lost = MessageDispatch.lost(left, "the process ended before it took the message")
        const told = [...lost, ...words].map(SessionEvent.process)
        const why = ending._tag === "NotStarted" ? "start_failed" : ending._tag === "Failed" ? "failed" : reason
        yield* decide(session, isKept ? Decisions.letGo(epoch, told, why) : Decisions.end(epoch, told, why), told)
        yield* dispatch.stage(session, left, "done")
      })

    /** Of a log that was ended or deleted by someone else there is nothing to say. */
    const settled = (ending: Ending) =>
      persistently(settle(ending)).pipe(
        Effect.timeoutOption(isReleased ? patienceAtStop : Duration.infinity),
        Effect.catchAllCause((cause) =>
          Effect.annotateLogs(Effect.logDebug("the end of a process is not in its log", cause), { session })
        )
      )

    // Interruption is the abrupt end of the server: the process ends with it, and its log says so if the store still takes it.
    const life = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const worked = yield* Effect.exit(restore(work(scope)))
        if (Exit.isFailure(worked)) {
          reason = "shutdown"
          isReleased = true
        }
        yield* Effect.ignoreLogged(within(() => Effect.uninterruptible(Scope.close(scope, worked)), deadline))
        yield* Deferred.succeed(gone, undefined)
        yield* settled(Exit.getOrElse(worked, (): Ending => ({ _tag: "Broken" })))
        yield* Deferred.succeed(told, undefined)
      })
    )

    return {
      life,
      interrupt: control.interrupt,
      interruptWith: control.interruptWith,
      stop: control.stop,
      release: Effect.suspend(() => {
        isReleased = true
        reason = "shutdown"
        const asked = isResumable ? breakOff : Effect.ignore(control.stop("shutdown"))
        return Effect.zipRight(asked, Deferred.await(told))
      }),
      wake: () => mayHaveMessages.unsafeOpen(),
      stands: (state) => {
        if (state === "CLOSING") control.closing()
        if (state === "ENDED" || state === "gone") Deferred.unsafeDone(broken, Effect.void)
      }
    }
  })
