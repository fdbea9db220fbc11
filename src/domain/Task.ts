import { Data, Schema } from "effect"

/** Of these only `running` is followed by another one. */
export const TaskStatus = Schema.Literal("running", "completed", "failed", "cancelled")
export type TaskStatus = typeof TaskStatus.Type

/** A unit of work as everybody may see it: where it stands now. */
export const TaskState = Schema.Struct({
  id: Schema.String,
  /** What it does, for people. */
  name: Schema.String,
  status: TaskStatus,
  /** From 0 to 1; it never goes back. */
  progress: Schema.Number.pipe(Schema.between(0, 1)),
  /** What it said last, or why it failed: one line, no stack. */
  message: Schema.optionalWith(Schema.String, { exact: true }),
  startedAt: Schema.String,
  endedAt: Schema.optionalWith(Schema.String, { exact: true })
})
export type TaskState = typeof TaskState.Type

/** No task has this id, or it ended too long ago. */
export class TaskNotFound extends Data.TaggedError("TaskNotFound")<{ readonly id: string }> {}

const maxMessageLength = 300

/** One line of at most 300 characters: what comes after the first line end may be a stack. */
export const oneLine = (text: string): string => (text.split(/[\r\n]/, 1)[0] ?? "").slice(0, maxMessageLength)
