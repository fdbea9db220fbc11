import { Duration } from "effect"
import type { TaskState } from "../domain/Task.ts"

const maxEnded = 1000
/** Of those that ended a snapshot has the newest, since who was away for a moment has missed their end. */
const inSnapshot = 50
const shownFor = Duration.toMillis(Duration.minutes(1))

interface Ended {
  readonly state: TaskState
  /** The request id that alone hears of it. */
  readonly to: string | undefined
  /** Epoch milliseconds. */
  readonly at: number
}

/** The last 1,000 tasks that ended. */
export class EndedTasks {
  private readonly byId = new Map<string, Ended>()

  remember(state: TaskState, to: string | undefined, at: number): void {
    this.byId.set(state.id, { state, to, at })
    const [oldest] = this.byId.keys()
    if (this.byId.size > maxEnded && oldest !== undefined) this.byId.delete(oldest)
  }

  find(id: string): TaskState | undefined {
    return this.byId.get(id)?.state
  }

  /** For a snapshot, oldest first: those of the last minute that this request id may hear of. */
  recent(requestId: string, now: number): ReadonlyArray<TaskState> {
    return Array.from(this.byId.values())
      .filter(({ at, to }) => at > now - shownFor && (to === undefined || to === requestId))
      .slice(-inSnapshot)
      .map(({ state }) => state)
  }
}
