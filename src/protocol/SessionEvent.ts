/**
 * The events that the server itself appends to a session's log (design §5): stored, numbered and replayed like those of a
 * producer, who cannot publish such names.
 */
export const names = {
  state: "sluice.state",
  process: "sluice.process",
  message: "sluice.message"
} as const

interface SessionEvent {
  readonly name: string
  readonly data: string
}

/** The session moved. `reason` is of whoever moved it; of the server: `exited`, `start_failed`, `failed`, `crashed`, … */
export interface State {
  readonly state: string
  readonly from: string
  readonly reason?: string
}

/** What became of a process, or of what was asked of it. `problem` is one readable line. */
export type Process =
  /** One is about to work for the session. */
  | { readonly event: "starting" }
  | { readonly event: "started"; readonly title?: string }
  | { readonly event: "start_failed" | "failed"; readonly problem: string }
  /** An interrupt, or a stop, was accepted: what follows is its outcome. */
  | { readonly event: "interrupting" }
  | { readonly event: "stopping"; readonly reason: string }
  | { readonly event: "interrupted" }
  | { readonly event: "interrupt_failed" | "stop_failed"; readonly problem: string }
  | { readonly event: "subtask_failed"; readonly subtask: string; readonly problem: string }
  /** The message will not reach the process. */
  | { readonly event: "message_failed"; readonly id: string; readonly problem: string }
  /** Nobody can know whether the process took the message: it is not sent again by itself, please check. */
  | { readonly event: "message_unknown"; readonly id: string; readonly problem: string }
  | { readonly event: "exited"; readonly code: number | null; readonly signal: string | null }
  /** The server that ran it died, or let go of it: the process may be attached again. */
  | { readonly event: "crashed" | "detached"; readonly problem: string }

const event = (name: string, body: unknown): SessionEvent => ({ name, data: JSON.stringify(body) })

export const state = (body: State): SessionEvent => event(names.state, body)
export const process = (body: Process): SessionEvent => event(names.process, body)

/** A message was accepted: `{ id, data, from }`. `data`, the JSON value that was sent, is text already; `from` the sender's request id. */
export const message = (id: string, data: string, from: string | null): SessionEvent => ({
  name: names.message,
  data: `{"id":${JSON.stringify(id)},"data":${data},"from":${JSON.stringify(from)}}`
})
