import * as ControlFrame from "../../protocol/ControlFrame.ts"
import * as Cursor from "../../protocol/Cursor.ts"

/** The control frames of a stream over one session, as a reader takes them: checked, without the fields it has no use for. */
export interface Hello {
  readonly _tag: "Hello"
  readonly token: string
  readonly heartbeat: number
  readonly retry: number
  readonly mode: ControlFrame.Mode
  /** The place before a log that does not exist yet is the origin. */
  readonly cursor: Cursor.Cursor
}

export interface Gap {
  readonly _tag: "Gap"
  readonly after: number
  readonly next: number
  readonly reason: ControlFrame.GapReason
}

export type Control =
  | Hello
  | Gap
  | { readonly _tag: "Live"; readonly cursor: Cursor.Cursor | undefined }
  | { readonly _tag: "End"; readonly cursor: Cursor.Cursor | undefined; readonly reason: ControlFrame.End["reason"] }
  | { readonly _tag: "Bye"; readonly reason: ControlFrame.Bye["reason"]; readonly retry: number }
  /** The session is another connection's for writing. */
  | { readonly _tag: "Owner" }
  | { readonly _tag: "Unreadable" }

type Body = Readonly<Record<string, unknown>>

const modes: ReadonlyArray<ControlFrame.Mode> = ["resumed", "started", "reset"]
const gapReasons: ReadonlyArray<ControlFrame.GapReason> = ["epoch", "ahead", "retention", "cap"]

export const isBody = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What is no JSON object says nothing: an empty one. */
export const parseBody = (data: string): Body => {
  try {
    const value: unknown = JSON.parse(data)
    return isBody(value) ? value : {}
  } catch {
    return {}
  }
}

const whole = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

export const text = (value: unknown): string => (typeof value === "string" ? value : "")

const unreadable: Control = { _tag: "Unreadable" }

const hello = (body: Body): Control => {
  const heartbeat = whole(body["heartbeat"])
  const mode = modes.find((mode) => mode === body["mode"])
  if (!heartbeat || mode === undefined) return unreadable
  const cursor = Cursor.parse(text(body["cursor"])) ?? Cursor.origin
  return { _tag: "Hello", token: text(body["token"]), heartbeat, retry: whole(body["retry"]) ?? 0, mode, cursor }
}

const gap = (body: Body): Control => {
  const after = whole(body["after"])
  const next = whole(body["next"])
  const reason = gapReasons.find((reason) => reason === body["reason"])
  if (after === undefined || next === undefined || reason === undefined || next <= after) return unreadable
  return { _tag: "Gap", after, next, reason }
}

const bye = (body: Body): Control => {
  const reason = ControlFrame.byeReasons.find((reason) => reason === body["reason"])
  return reason === undefined ? unreadable : { _tag: "Bye", reason, retry: whole(body["retry"]) ?? 0 }
}

/** `undefined` for a frame that carries an event of the log (also one of the server's own, as `sluice.state`). */
export const parse = (name: string, data: string): Control | undefined => {
  switch (name) {
    case ControlFrame.names.hello:
      return hello(parseBody(data))
    case ControlFrame.names.gap:
      return gap(parseBody(data))
    case ControlFrame.names.live:
      return { _tag: "Live", cursor: Cursor.parse(text(parseBody(data)["cursor"])) }
    case ControlFrame.names.end: {
      const body = parseBody(data)
      const reason = body["reason"] === "deleted" ? "deleted" : "ended"
      return { _tag: "End", cursor: Cursor.parse(text(body["cursor"])), reason }
    }
    case ControlFrame.names.bye:
      return bye(parseBody(data))
    case ControlFrame.names.owner:
      return { _tag: "Owner" }
    default:
      return undefined
  }
}
