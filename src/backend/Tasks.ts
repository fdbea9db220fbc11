/**
 * Work whose progress is told to the connected (design §7). A task's end is decided once, whoever comes first: its own end, a cancel, the
 * loss of its lease, the stop. Over a crash the journal has it: the next start tells what became of it.
 */
import { randomUUID } from "node:crypto"
import { Context, Deferred, Duration, Effect, FiberMap, FiberSet, Layer } from "effect"
import { ShuttingDown } from "../domain/GatewayError.ts"
import { InvalidRequest, Overloaded, StoreError } from "../domain/SessionError.ts"
import { TaskNotFound, type TaskState } from "../domain/Task.ts"
import type { RetainedStore } from "../store/RetainedStore.ts"
import { ConnectionManager } from "./ConnectionManager.ts"
import { EndedTasks } from "./EndedTasks.ts"
import { Feed } from "./Feed.ts"
import * as Patience from "./Patience.ts"
import { Shutdown } from "./Shutdown.ts"
import * as TaskJournal from "./TaskJournal.ts"
import * as TaskLease from "./TaskLease.ts"
import * as TaskOutcome from "./TaskOutcome.ts"
import { type EndStatus, endOf, TaskRun } from "./TaskRun.ts"

export interface Options {
  /** The journal's entry of a running task is renewed three times in this; a task whose entry was not is ended as failed. */
  readonly lease: Duration.Duration
}

export const defaults: Options = { lease: Duration.minutes(30) }

/** Within a task: where it stands. */
export class TaskProgress extends Context.Tag("sluice/backend/TaskProgress")<
  TaskProgress,
  {
    /**
     * `progress` from 0 to 1; one lower than before changes nothing but the message. Told at most four times a second, the
     * last value always. Does not wait.
     */
    readonly report: (progress: number, message?: string) => Effect.Effect<void>
  }
>() {}

/** A task that was begun. */
export interface Task {
  readonly id: string
  /** How it ended. Never fails: a task's failure is a state. */
  readonly ended: Effect.Effect<TaskState>
}

export interface Request<E = never> {
  /** For people: 1 to 128 characters, without controls. */
  readonly name: string
  /** Only this request id hears of it; otherwise all do. An address, no protection: whoever has the id is told. */
  readonly to?: string
  /** What everybody may know of a typed failure: of its text the first line, at most 300 characters. */
  readonly describe?: (error: E) => string
}

export class Tasks extends Context.Tag("sluice/backend/Tasks")<
  Tasks,
  {
    /**
     * Begins `work` in the background, in the order: journal, `task` event, work. Whatever it ends with, exactly one event tells of
     * it: `completed`; `failed`, with what `describe` says of a typed failure; `cancelled` when it was
     * interrupted, by `cancel`, by the stop, or by itself.
     */
    readonly run: <E, R>(
      task: string | Request<NoInfer<E>>,
      work: Effect.Effect<unknown, E, R>
    ) => Effect.Effect<Task, InvalidRequest | Overloaded | ShuttingDown | StoreError, Exclude<R, TaskProgress>>
    /** Done when its end was told: a second after the interruption at the latest. False: it had ended already. */
    readonly cancel: (id: string) => Effect.Effect<boolean, TaskNotFound>
    /** Also of those that ended: the last 1,000. */
    readonly status: (id: string) => Effect.Effect<TaskState, TaskNotFound>
    readonly running: () => ReadonlyArray<TaskState>
    /** Done when none runs. */
    readonly idle: Effect.Effect<void>
  }
>() {}

const eventName = "task"
const maxRunning = 100
/** How long the journal may take to know of a task before it begins. */
const startPatience = Duration.seconds(5)

const nameRule = /^[^\p{Cc}]{1,128}$/u

export const make = ({ lease }: Options = defaults) =>
  Effect.gen(function* () {
    const feed = yield* Feed
    const manager = yield* ConnectionManager
    const shutdown = yield* Shutdown
    const journal = yield* TaskJournal.make
    const clock = yield* Effect.clock
    // Closed after the tasks, whose ends need it.
    const fork = yield* FiberSet.makeRuntime<never>()
    const { leavable, tolerated } = Patience.make(fork)
    const fibers = yield* FiberMap.make<string, void>()
    const running = new Map<string, TaskRun>()
    const ended = new EndedTasks()
    const idle = yield* Effect.makeLatch(true)
    const now = () => clock.unsafeCurrentTimeMillis()
    let starting = 0

    const entry = (state: TaskState, to: string | undefined) => ({ state, ...(to === undefined ? {} : { to }) })

    const checkIdle = (): void => {
      if (running.size + starting === 0) idle.unsafeOpen()
      else idle.unsafeClose()
    }

    /**
     * Tells the end, unless it was decided by another. It is in the journal first, so that after a crash in between the next
     * start tells no other; where the journal does not answer, the end is told all the same.
     */
    const end = (run: TaskRun, status: EndStatus, message?: string): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const state = run.decide(status, message, now())
        if (state === undefined) return Effect.succeed(false)
        return tolerated("the end of a task is not in the journal", journal.write(entry(state, run.to))).pipe(
          Effect.zipRight(
            Effect.sync(() => {
              run.state = state
              running.delete(state.id)
              ended.remember(state, run.to, now())
              feed.publish(eventName, { ...state }, run.to)
              checkIdle()
            })
          ),
          Effect.zipRight(Deferred.succeed(run.ended, state)),
          Effect.zipRight(tolerated("a task that has ended is still in the journal", journal.remove(state.id))),
          Effect.as(true)
        )
      }).pipe(Effect.uninterruptible)

    /** Interrupted: cancelled, or the scope closes; in each case its end is told. */
    const life = <E, R>(run: TaskRun, work: Effect.Effect<unknown, E, R>, describe: Request<E>["describe"]) => {
      const progress = TaskProgress.of({
        report: (reached, message) =>
          Effect.sync(() => {
            const wait = run.report(reached, message, now())
            if (wait === undefined) return
            const told = Effect.sync(() => {
              if (run.due(now())) feed.publish(eventName, { ...run.state }, run.to)
            })
            fork(wait === 0 ? told : Effect.delay(told, Duration.millis(wait)))
          })
      })
      const leaseLost = Effect.zipRight(
        TaskLease.lost(
          lease,
          Effect.suspend(() => journal.write(entry(run.state, run.to)))
        ),
        Effect.zipRight(end(run, "failed", "its lease was lost"), Effect.interrupt)
      )
      return Effect.raceFirst(leavable(Effect.provideService(work, TaskProgress, progress)), leaseLost).pipe(
        Effect.onExit((exit) => {
          const [status, message] = TaskOutcome.of(exit, describe)
          const logged = status === "failed" ? Effect.logWarning(`task ${run.state.name} failed`, exit) : Effect.void
          return Effect.zipRight(logged, end(run, status, message))
        }),
        Effect.exit,
        Effect.asVoid
      )
    }

    const begin = <E, R>({ describe, name, to }: Request<E>, work: Effect.Effect<unknown, E, R>) =>
      Effect.gen(function* () {
        const run = new TaskRun({ id: randomUUID(), name }, to, now())
        const { id } = run.state
        starting += 1
        checkIdle()
        const started = (): void => {
          starting -= 1
          checkIdle()
        }
        const notBegun = tolerated("a task that was not begun is in the journal", journal.remove(id)).pipe(
          Effect.zipRight(Effect.sync(started))
        )
        const written = Effect.timeoutFail(Effect.disconnect(journal.write(entry(run.state, to))), {
          duration: startPatience,
          onTimeout: () => new StoreError({ reason: "Unavailable", cause: "the journal of tasks does not answer" })
        })
        yield* Effect.onError(Effect.interruptible(written), () => notBegun)
        if (shutdown.hasBegun()) return yield* Effect.zipRight(notBegun, new ShuttingDown())
        running.set(id, run)
        started()
        feed.publish(eventName, { ...run.state }, to)
        yield* FiberMap.run(fibers, id, Effect.interruptible(life(run, work, describe)))
        const task: Task = { id, ended: Deferred.await(run.ended) }
        return task
      }).pipe(Effect.uninterruptible)

    const ask = <A>(id: string, alive: (run: TaskRun) => Effect.Effect<A>, over: (state: TaskState) => A) =>
      Effect.suspend((): Effect.Effect<A, TaskNotFound> => {
        const run = running.get(id)
        if (run !== undefined) return alive(run)
        const state = ended.find(id)
        return state === undefined ? new TaskNotFound({ id }) : Effect.succeed(over(state))
      })

    const cancelled = (run: TaskRun) =>
      Effect.suspend(() => {
        const wasOver = run.isOver
        return Effect.as(FiberMap.remove(fibers, run.state.id), !wasOver)
      })

    for (const { state, to } of yield* journal.left) {
      const stopped =
        state.status === "running" ? endOf(state, "failed", "the server stopped while it ran", now()) : state
      ended.remember(stopped, to, now())
      yield* journal.remove(state.id)
    }

    yield* feed.include("tasks", (requestId) => {
      const isFor = ({ to }: TaskRun) => to === undefined || to === requestId
      const alive = Array.from(running.values()).filter(isFor)
      return [...ended.recent(requestId, now()), ...alive.map(({ state }) => state)].map((state) => ({ ...state }))
    })
    yield* shutdown.onWait("tasks", idle.await)
    const cancelAll = Effect.suspend(() =>
      Effect.forEach(Array.from(running.values()), cancelled, { concurrency: "unbounded", discard: true })
    )
    yield* shutdown.onStop("tasks", Effect.zipRight(cancelAll, manager.settled))

    return Tasks.of({
      run: (task, work) =>
        Effect.gen(function* () {
          const request = typeof task === "string" ? { name: task } : task
          if (!nameRule.test(request.name)) {
            return yield* new InvalidRequest({
              field: "name",
              allowed: "must be 1 to 128 characters, no control characters"
            })
          }
          if (shutdown.hasBegun()) return yield* new ShuttingDown()
          if (running.size + starting >= maxRunning) return yield* new Overloaded({ what: "list of running tasks" })
          return yield* begin(request, work)
        }),
      cancel: (id) => ask(id, cancelled, () => false),
      status: (id) =>
        ask(
          id,
          ({ state }) => Effect.succeed(state),
          (state) => state
        ),
      running: () => Array.from(running.values(), ({ state }) => state),
      idle: idle.await
    })
  })

export const layer = (
  options?: Options
): Layer.Layer<Tasks, StoreError, ConnectionManager | Feed | RetainedStore | Shutdown> =>
  Layer.scoped(Tasks, make(options))
