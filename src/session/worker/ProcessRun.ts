import { Cause, Deferred, Duration, Effect, Exit, Fiber, Option, Scope } from "effect"
import type { NewEvent } from "../../domain/Event.ts"
import type { SessionId } from "../../domain/Session.ts"
import type { AppendError } from "../../domain/SessionError.ts"
import type { Process } from "../../process/Process.ts"
import * as SessionEvent from "../../protocol/SessionEvent.ts"
import type { EventStore } from "../../store/EventStore.ts"
import { problemOf, within } from "../Deadline.ts"
import * as Decisions from "../Decisions.ts"
import type { MessageDispatch } from "../inbox/MessageDispatch.ts"
import * as ProcessControl from "./ProcessControl.ts"
import * as ProcessLog from "./ProcessLog.ts"
import * as ProcessOutput from "./ProcessOutput.ts"
import * as ProcessRecord from "./ProcessRecord.ts"
import type { Worker } from "../SessionActor.ts"
import type { SessionRegistry } from "../SessionRegistry.ts"
import { untilHealed } from "../Temporary.ts"

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
  readonly sessions: SessionRegistry["Type"]
  readonly dispatch: MessageDispatch
  /** Bytes of one append of its output. */
  readonly maxBytes: number
}

/** One process at work, from its start to the last event that tells of it. */
export interface ProcessRun
  extends Worker,
    Pick<ProcessControl.ProcessControl, "interrupt" | "interruptWith" | "stop"> {
  readonly epoch: string
  /** To be run once. Never fails; interrupted, it ends the process and says so in the log. */
  readonly life: Effect.Effect<void>
  /** The server stops: the process is asked to end, or let go of. Not waited for. */
  readonly release: Effect.Effect<void>
  /** The server is about to end: from now on its last words are not waited for much longer. */
  readonly abandon: Effect.Effect<void>
}

/** How its work ended. `Broken`: it was ended from here. */
type Ending =
  | { readonly _tag: "NotStarted" | "Failed"; readonly problem: string }
  | { readonly _tag: "Exited" | "Broken" }

/** The last events are not waited for longer than this when the server stops; recovery tells the end then. */
const patienceAtStop = Duration.seconds(2)

const broken: Ending = { _tag: "Broken" }

export const make = (job: Job, rooms: Rooms): Effect.Effect<ProcessRun, never, EventStore> =>
  Effect.gen(function* () {
    const { epoch, isResumable, session } = job
    const { deadline, dispatch, fork, sessions } = rooms
    const breaks = yield* Deferred.make<void>()
    const gone = yield* Deferred.make<void>()
    const released = yield* Deferred.make<void>()
    const told = yield* Deferred.make<void>()
    const mayHaveMessages = yield* Effect.makeLatch(true)
    const log = yield* ProcessLog.make(session, epoch, sessions.decide)
    let process: Process | undefined
    /** Why the session ends, when it does. */
    let reason = "exited"
    let isReleased = false

    const breakOff = Effect.asVoid(Deferred.succeed(breaks, undefined))

    const control = yield* ProcessControl.make({
      deadline,
      fork,
      session,
      process: () => process,
      gone: Deferred.await(gone),
      breakOff,
      tell: log.tell,
      recordInterrupt: Effect.map(log.append([SessionEvent.process({ event: "interrupting" })]), ({ last }) => last),
      recordStop: (why) =>
        Effect.suspend(() => {
          reason = why
          return Effect.map(sessions.decide(session, Decisions.stopping(epoch, why)), ({ first }) => first)
        })
    })

    const dispatching = (running: Process) =>
      dispatch.run(session, epoch, {
        more: Effect.zipRight(mayHaveMessages.await, mayHaveMessages.close),
        allowed: control.messagesAllowed,
        send: (message) => running.send(message),
        failed: (body, id) => log.tell(body, [id])
      })

    /** A fiber beside the process, not of its scope: whatever it waits for cannot keep that from closing. */
    const dispatched = <A>(running: Process, work: Effect.Effect<A>): Effect.Effect<A> =>
      sessions.messagesWait
        ? Effect.acquireUseRelease(
            Effect.sync(() => fork(Effect.ignoreLogged(dispatching(running)))),
            () => work,
            Fiber.interruptFork
          )
        : work

    const pumped = (running: Process) =>
      Effect.map(
        Effect.exit(Effect.disconnect(ProcessOutput.pump(running, rooms.maxBytes, log.put))),
        (output): Ending =>
          Exit.isSuccess(output) ? { _tag: "Exited" } : { _tag: "Failed", problem: problemOf(output.cause) }
      )

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
        yield* untilHealed(sessions.decide(session, Decisions.started(epoch, record, title)), "100 millis")
        return yield* dispatched(running, pumped(running))
      }).pipe(
        Effect.raceFirst(Effect.as(Deferred.await(breaks), broken)),
        // The log has ended: nobody is left to work for.
        Effect.catchTag("SessionEnded", () => Effect.succeed(broken))
      )

    /** What the last events say, beside the messages that nobody will take. */
    const lastWords = (ending: Ending, wasInterrupting: boolean): Effect.Effect<ReadonlyArray<NewEvent>> =>
      Effect.gen(function* () {
        const words: Array<SessionEvent.Process> = []
        if (wasInterrupting) words.push({ event: "interrupt_failed", problem: "the process ended meanwhile" })
        if (ending._tag === "NotStarted") words.push({ event: "start_failed", problem: ending.problem })
        if (ending._tag === "Failed") words.push({ event: "failed", problem: ending.problem })
        if (isReleased && isResumable) words.push({ event: "detached", problem: "the server stopped" })
        else if (ending._tag !== "NotStarted") {
          const exit = process?.exit
          const status = exit === undefined ? Option.none() : yield* Effect.option(within(() => exit, deadline))
          words.push({ event: "exited", ...Option.getOrElse(status, () => ({ code: null, signal: null })) })
        }
        return [...log.untold(), ...words.map(SessionEvent.process)]
      })

    const settle = (ending: Ending) =>
      Effect.gen(function* () {
        const words = yield* lastWords(ending, yield* control.end)
        const isKept = isReleased && isResumable
        const why = ending._tag === "NotStarted" ? "start_failed" : ending._tag === "Failed" ? "failed" : reason
        const conclude = isKept ? Decisions.letGo : Decisions.end
        const concluded = sessions.conclude(session, {
          losesWaiting: !isKept,
          why: "the process ended before it took the message",
          decide: (lost, settled) => conclude(epoch, why, [...lost, ...words], settled)
        })
        yield* untilHealed(concluded, "100 millis")
      }).pipe(
        // Someone else has ended or deleted it: there is nothing to say.
        Effect.catchTag("SessionEnded", () => Effect.void),
        Effect.catchAllCause((cause) => Effect.logError("the end of a process is not in its log", cause))
      )

    /** A store that does not take it is waited for, but not by a server that stops. */
    const settled = (ending: Ending) =>
      Effect.raceFirst(
        Effect.interruptible(Effect.disconnect(settle(ending))),
        Effect.interruptible(
          Effect.zipRight(
            Deferred.await(released),
            Effect.delay(Effect.logWarning("the end of a process is not in its log yet"), patienceAtStop)
          )
        )
      ).pipe(Effect.annotateLogs({ session }))

    const abandon = Effect.suspend(() => {
      isReleased = true
      if (reason === "exited") reason = "shutdown"
      return Effect.asVoid(Deferred.succeed(released, undefined))
    })

    const endingOf = (worked: Exit.Exit<Ending, AppendError>): Ending => {
      if (Exit.isSuccess(worked)) return worked.value
      return Cause.isInterruptedOnly(worked.cause) ? broken : { _tag: "Failed", problem: problemOf(worked.cause) }
    }

    // Interruption is the abrupt end of the server: the process ends with it, and its log says so if the store still takes it.
    const life = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const worked = yield* Effect.exit(restore(work(scope)))
        if (Exit.isInterrupted(worked)) yield* abandon
        yield* Effect.ignoreLogged(within(() => Effect.uninterruptible(Scope.close(scope, worked)), deadline))
        yield* Deferred.succeed(gone, undefined)
        yield* settled(endingOf(worked))
        yield* Deferred.succeed(told, undefined)
      })
    )

    return {
      epoch,
      life,
      interrupt: control.interrupt,
      interruptWith: control.interruptWith,
      stop: control.stop,
      release: Effect.suspend(() => {
        const asked = isResumable ? breakOff : Effect.ignore(control.stop("shutdown"))
        return Effect.zipRight(asked, abandon)
      }),
      abandon,
      wake: () => mayHaveMessages.unsafeOpen(),
      stands: (state, seq) => {
        if (state === "CLOSING") {
          if (reason === "exited") reason = "closed"
          control.closing(seq)
        }
        if (state === "gone") control.over()
        if (state === "ENDED" || state === "gone") Deferred.unsafeDone(breaks, Effect.void)
      },
      end: (why) =>
        Effect.suspend(() => {
          reason = why
          return Effect.zipRight(breakOff, Deferred.await(told))
        })
    }
  })
