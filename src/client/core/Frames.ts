import { type GapReason, reservedPrefix } from "../../protocol/ControlFrame.ts"
import * as Cursor from "../../protocol/Cursor.ts"
import type { Decoded } from "../../protocol/FrameDecoder.ts"
import * as Json from "./Json.ts"
import type * as Reader from "./Reader.ts"

/** What a frame says of the connection. `heartbeat` in seconds, `retry` in milliseconds. */
export type OfConnection =
  | { readonly type: "hello"; readonly token: string; readonly heartbeat: number; readonly retry: number }
  | { readonly type: "bye"; readonly reason: string; readonly retry: number }

/** What a frame says, checked, without the fields that a reader has no use for. */
export type Said =
  | { readonly session: string; readonly message: Reader.Message }
  | { readonly session?: undefined; readonly message: OfConnection }

/** Seconds. */
export const defaultHeartbeat = 15

const gapReasons: ReadonlyArray<GapReason> = ["epoch", "ahead", "retention", "cap"]

const ofConnection = (message: OfConnection): Said => ({ message })

/** `undefined`: the frame carries an event of a log, as those of the server's own do. What cannot be read says nothing. */
const control = (name: string, data: string): ReadonlyArray<Said> | undefined => {
  if (!name.startsWith(reservedPrefix)) return undefined
  const body = Json.parse(data)
  const about = (body: Json.Body, message: Reader.Message): Said => ({ session: Json.text(body["session"]), message })
  const retry = Json.whole(body["retry"])
  const reason = Json.text(body["reason"])
  const cursor = Cursor.parse(Json.text(body["cursor"]))
  switch (name.slice(reservedPrefix.length)) {
    case "hello": {
      const heartbeat = Json.whole(body["heartbeat"]) || defaultHeartbeat
      const sessions = "sessions" in body ? Json.list(body["sessions"]) : [body]
      const opened = sessions.map((body) =>
        about(body, {
          type: "opened",
          mode: Json.text(body["mode"]),
          // A log that does not exist yet has neither epoch nor place.
          epoch: Json.text(body["epoch"]) || Cursor.origin.epoch,
          place: Cursor.parse(Json.text(body["cursor"])) ?? Cursor.origin
        })
      )
      const hello = ofConnection({ type: "hello", token: Json.text(body["token"]), heartbeat, retry })
      return [hello, ...opened]
    }
    case "gap": {
      const after = Json.whole(body["after"])
      const next = Json.whole(body["next"])
      const known = gapReasons.find((known) => known === reason)
      // The next event shows that it is there.
      return known === undefined || next <= after ? [] : [about(body, { type: "gap", after, next, reason: known })]
    }
    case "live":
      return [about(body, { type: "live", cursor })]
    case "end":
      return [about(body, { type: "end", cursor, reason: reason === "deleted" ? reason : "ended" })]
    case "owner":
      return [about(body, { type: "owner" })]
    case "bye":
      return [ofConnection({ type: "bye", reason, retry })]
    default:
      return undefined
  }
}

const read =
  (event: (frame: Extract<Decoded, { readonly _tag: "Event" }>) => Said | undefined) =>
  (frame: Decoded): ReadonlyArray<Said> => {
    if (frame._tag !== "Event") return [] // the body of hello and bye says `retry` too
    const found = control(frame.name, frame.data) ?? event(frame) ?? []
    return "message" in found ? [found] : found
  }

/** Of a stream over one session: its place is the frame's id (contract §3). */
export const ofOne = (session: string) =>
  read(({ data, lastId, name }) => {
    const at = Cursor.parse(lastId)
    return at && { session, message: { type: "event", ...at, name, data } }
  })

/** An event in JSON, of a stream or of a page; `seq` 0: it is none. */
export const event = ({ data, name, seq }: Json.Body): Reader.Event => ({
  seq: Json.whole(seq),
  name: Json.text(name),
  data: Json.text(data)
})

/** Of a stream over several: all is in one line of JSON (contract §3). */
export const ofSeveral = read(({ data }) => {
  const body = Json.parse(data)
  const told = event(body)
  const message = { type: "event", epoch: Json.text(body["epoch"]), ...told } as const
  return told.seq > 0 ? { session: Json.text(body["session"]), message } : undefined
})
