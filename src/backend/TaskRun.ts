import { Deferred, Duration, FiberId } from "effect"
import { oneLine, type TaskState, type TaskStatus } from "../domain/Task.ts"

export type EndStatus = Exclude<TaskStatus, "running">

/** Between two events of progress at least so many milliseconds; the last value is never lost, only later. */
const interval = Duration.toMillis(Duration.millis(250))

const iso = (millis: number): string => new Date(millis).toISOString()

/** One task from its start to its end, which is decided once. All steps are synchronous; `now` in epoch milliseconds. */
export class TaskRun {
  state: TaskState
  /** The request id that alone hears of it. */
  readonly to: string | undefined
  readonly ended: Deferred.Deferred<TaskState> = Deferred.unsafeMake(FiberId.none)
  private toldAt: number
  private isDecided = false
  private isDue = false

  constructor(task: Pick<TaskState, "id" | "name">, to: string | undefined, now: number) {
    this.state = { ...task, status: "running", progress: 0, startedAt: iso(now) }
    this.to = to
    this.toldAt = now
  }

  /** Its end is decided, though perhaps not told yet. */
  get isOver(): boolean {
    return this.isDecided
  }

  /**
   * Progress never goes back; what is beyond 0 or 1 is taken for that, and what is no number changes nothing. Milliseconds until
   * it is to be told; `undefined`: that was asked for already, or it is over.
   */
  report(progress: number, message: string | undefined, now: number): number | undefined {
    if (this.isDecided) return undefined
    const reached = Number.isNaN(progress) ? 0 : Math.min(Math.max(progress, 0), 1)
    this.state = {
      ...this.state,
      progress: Math.max(this.state.progress, reached),
      ...(message === undefined ? {} : { message: oneLine(message) })
    }
    if (this.isDue) return undefined
    this.isDue = true
    // Within the interval also when the clock was set back.
    return Math.min(Math.max(this.toldAt + interval - now, 0), interval)
  }

  /** True when progress is to be told now. */
  due(now: number): boolean {
    this.isDue = false
    this.toldAt = now
    return !this.isDecided
  }

  /** The first to ask decides: the state to end in, or `undefined`. */
  decide(status: EndStatus, message: string | undefined, now: number): TaskState | undefined {
    if (this.isDecided) return undefined
    this.isDecided = true
    return endOf(this.state, status, message, now)
  }
}

/** `state` as it stands when it has ended. A message that was said before stays when there is no other. */
export const endOf = (state: TaskState, status: EndStatus, message: string | undefined, now: number): TaskState => ({
  ...state,
  status,
  progress: status === "completed" ? 1 : state.progress,
  endedAt: iso(now),
  ...(message === undefined ? {} : { message: oneLine(message) })
})
