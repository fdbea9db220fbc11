import * as Frame from "./Frame.ts"

/** Names that start so belong to the server: producers cannot publish them (contract §3). */
export const reservedPrefix = "sluice."

export const names = {
  hello: "sluice.hello",
  gap: "sluice.gap",
  live: "sluice.live",
  end: "sluice.end",
  bye: "sluice.bye",
  owner: "sluice.owner"
} as const

export type Mode = "resumed" | "started" | "reset"
export type GapReason = "epoch" | "ahead" | "retention" | "cap"

/** A session as a stream begins: `cursor` is the place after which its events follow; both are null for an unknown session. */
export interface Opened {
  readonly session: string
  readonly epoch: string | null
  readonly cursor: string | null
  readonly oldest: number
  readonly head: number
  readonly mode: Mode
}

/** `heartbeat` in seconds, `retry` in milliseconds (as the SSE field of that name). */
export interface Greeting {
  readonly token: string
  readonly heartbeat: number
  readonly retry: number
  readonly problem?: "bad_cursor"
}

export type Hello = Greeting & (Opened | { readonly sessions: ReadonlyArray<Opened> })

/** Events `after` < seq < `next` are not sent; `missed` is null when they cannot be counted. */
export interface Gap {
  readonly session: string
  readonly after: number
  readonly next: number
  readonly missed: number | null
  readonly oldest: number
  readonly head: number
  readonly reason: GapReason
}

export interface Live {
  readonly session: string
  readonly cursor: string | null
}

export interface End {
  readonly session: string
  readonly cursor: string | null
  readonly reason: "ended" | "deleted"
}

export const byeReasons = [
  "shutdown",
  "age",
  "overload",
  "error",
  "expired",
  "replaced",
  "revoked",
  "server_closed"
] as const

/** `retry` in milliseconds: do not come back sooner. */
export interface Bye {
  readonly reason: (typeof byeReasons)[number]
  readonly retry: number
}

/** Another connection owns the session for writing now; this one still watches it. */
export interface Owner {
  readonly session: string
  readonly owner: false
}

const control = (event: string, body: unknown, id?: string, retry?: number): string =>
  Frame.make({ event, id, retry, data: JSON.stringify(body) })

/** With an id, so that a browser that never got an event still returns to the place where it began. */
export const hello = (body: Hello, id?: string): string => control(names.hello, body, id, body.retry)

/** Its id is the place before `next`, so that a browser does not ask for the gap again. */
export const gap = (body: Gap, id?: string): string => control(names.gap, body, id)
/** The id of `live` and `end` is the place on a stream over several sessions, as in the block behind each write. */
export const live = (body: Live, id?: string): string => control(names.live, body, id)
export const owner = (body: Owner): string => control(names.owner, body)
export const end = (body: End, id?: string): string => control(names.end, body, id)
export const bye = (body: Bye): string => control(names.bye, body, undefined, body.retry)
