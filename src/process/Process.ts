import type { Effect, Stream } from "effect"
import type { NewEvent } from "../domain/Event.ts"

/** What is said to a process. `data` is any JSON value; `from` is the sender's request id, null when it has none. */
export interface Message {
  readonly id: string
  readonly data: unknown
  readonly from: string | null
}

/** Work that a process has under way, which an interrupt stops before the process itself. */
export interface SubTask {
  readonly name: string
  readonly stop: Effect.Effect<void, unknown>
}

/** The exit code, or the signal that ended it; both null for what has neither. */
export interface ExitStatus {
  readonly code: number | null
  readonly signal: string | null
}

/**
 * What works for a session: an AI agent, a build (design §5). It is made in a scope; closing that scope ends it, whatever it
 * does. Errors are `unknown`: each becomes one readable line of a `sluice.process` event, and none can leave the session.
 */
export interface Process {
  /** Events for the log, pulled as fast as the log takes them; a chunk is committed as one. When it ends, the process has. */
  readonly output: Stream.Stream<NewEvent, unknown>
  /** Done when the process has taken the message. Called for one message after the other. */
  readonly send: (message: Message) => Effect.Effect<void, unknown>
  /** Breaks off what it does now; it goes on living. */
  readonly interrupt: Effect.Effect<void, unknown>
  /** Asks it to end; done when it has. */
  readonly stop: Effect.Effect<void, unknown>
  /** What is under way now. */
  readonly subTasks?: Effect.Effect<ReadonlyArray<SubTask>, unknown>
  /** Asked once `output` has ended. */
  readonly exit?: Effect.Effect<ExitStatus>
  /** For the log: what it is, in a line without secrets. */
  readonly title?: string
  /** What a later server needs to end it, should this one die: see `ProcessGroup`. */
  readonly group?: string
}
