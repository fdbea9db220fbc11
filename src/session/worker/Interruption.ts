import { Cause, type Duration, Effect, Exit, Option } from "effect"
import type { Process, SubTask } from "../../process/Process.ts"
import type * as SessionEvent from "../../protocol/SessionEvent.ts"
import { Late, problemOf, within } from "../Deadline.ts"

const noTasks: ReadonlyArray<SubTask> = []

/**
 * Interrupts a process (design §5): its sub-tasks first, all at once, then the process itself. Each of both has `deadline`. No
 * failure is let out: all are told. True when the process did not answer in time, so that it must be stopped.
 */
export const run = (
  process: Process,
  deadline: Duration.Duration,
  tell: (body: SessionEvent.Process) => Effect.Effect<void>
): Effect.Effect<boolean> => {
  const stopTask = ({ name, stop }: SubTask) =>
    Effect.catchAllCause(
      within(() => stop, deadline),
      (cause) => tell({ event: "subtask_failed", subtask: name, problem: problemOf(cause) })
    )

  const subTasks = within(() => process.subTasks ?? Effect.succeed(noTasks), deadline).pipe(
    Effect.flatMap((tasks) => Effect.forEach(tasks, stopTask, { concurrency: "unbounded", discard: true })),
    Effect.catchAllCause((cause) => tell({ event: "subtask_failed", subtask: "all", problem: problemOf(cause) }))
  )

  const itself = Effect.flatMap(Effect.exit(within(() => process.interrupt, deadline)), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.as(tell({ event: "interrupted" }), false)
    const isLate = Option.exists(Cause.failureOption(exit.cause), (error) => error instanceof Late)
    return Effect.as(tell({ event: "interrupt_failed", problem: problemOf(exit.cause) }), isLate)
  })

  return Effect.zipRight(subTasks, itself)
}
