import type * as ControlFrame from "../../protocol/ControlFrame.ts"
import * as Cursor from "../../protocol/Cursor.ts"
import type { Decoded } from "../../protocol/FrameDecoder.ts"
import * as ControlBody from "./ControlBody.ts"

/**
 * A reader of one session over any number of connections: what it has, and what it can trust of the present connection.
 * Pure; a driver feeds it decoded frames and obeys its steps. It never repeats an event and never passes a hole in silence.
 */
export interface Reader {
  /** The last event that it has, or the place to which a gap or `live` moved it: what to send as `Last-Event-ID`. */
  readonly cursor: Cursor.Cursor | undefined
  /** Where the present connection begins, as `hello` said. Only a cursor may be asked for again: a gap may still follow. */
  readonly begin: Cursor.Cursor | undefined
  /** Seconds of silence after which the server sends a heartbeat. */
  readonly heartbeat: number
  /** Milliseconds: the server asks not to come back sooner. */
  readonly retry: number
}

/** Events `after` < seq < `next` of the log `epoch` do not come on the stream; `missed` is null where none can count them. */
export interface Gap {
  readonly epoch: string
  readonly after: number
  readonly next: number
  readonly missed: number | null
  /** `unannounced`: the server broke its promise, or frames were lost on the way. */
  readonly reason: ControlFrame.GapReason | "unannounced"
}

export interface Event {
  readonly seq: number
  readonly name: string
  readonly data: string
}

/** What a driver has to do, in order. */
export type Step =
  | { readonly _tag: "Hello"; readonly mode: ControlFrame.Mode; readonly token: string }
  | { readonly _tag: "Event"; readonly epoch: string; readonly event: Event }
  | { readonly _tag: "Gap"; readonly gap: Gap }
  | { readonly _tag: "Live" }
  | { readonly _tag: "End"; readonly reason: ControlFrame.End["reason"] }
  | { readonly _tag: "Bye"; readonly reason: ControlFrame.Bye["reason"] }
  /** Another connection writes to the session now; this one still watches it. */
  | { readonly _tag: "Owner" }

type Stepped = readonly [Reader, ReadonlyArray<Step>]

/** What a reader assumes until `hello` tells: the server's defaults. */
export const make = (cursor?: Cursor.Cursor): Reader => ({ cursor, begin: undefined, heartbeat: 15, retry: 0 })

/** Milliseconds without a byte after which the connection is dead (design §8: 2.5 heartbeats). */
export const patience = (reader: Reader): number => reader.heartbeat * 2500

const announced = (gap: Gap): Step => ({ _tag: "Gap", gap })

/** The gap between what the reader has and `next`, the first that follows, of which the server said nothing. */
const silentGap = (reader: Reader, epoch: string, next: number): Gap | undefined => {
  const place = reader.cursor ?? reader.begin
  if (place === undefined) return undefined
  const isOther = place.epoch !== epoch && !Cursor.isOrigin(place)
  if (isOther) return { epoch, after: 0, next, missed: null, reason: "epoch" }
  const after = Cursor.isOrigin(place) ? 0 : place.seq
  return next > after + 1 ? { epoch, after, next, missed: next - 1 - after, reason: "unannounced" } : undefined
}

/** The reader stands at `to` from now on, whatever lay between. */
const moved = (reader: Reader, to: Cursor.Cursor): Stepped => {
  const { cursor } = reader
  if (cursor?.epoch === to.epoch && to.seq <= cursor.seq) return [reader, []]
  const gap = silentGap(reader, to.epoch, to.seq + 1)
  return [{ ...reader, cursor: to }, gap === undefined ? [] : [announced(gap)]]
}

const onEvent = (reader: Reader, { epoch, seq }: Cursor.Cursor, name: string, data: string): Stepped => {
  const { cursor } = reader
  if (cursor?.epoch === epoch && seq <= cursor.seq) return [reader, []]
  const gap = silentGap(reader, epoch, seq)
  const event: Step = { _tag: "Event", epoch, event: { seq, name, data } }
  return [{ ...reader, cursor: { epoch, seq } }, gap === undefined ? [event] : [announced(gap), event]]
}

const onGap = (reader: Reader, body: ControlBody.Gap, at: Cursor.Cursor | undefined): Stepped => {
  const { cursor } = reader
  const { next, reason } = body
  const epoch = at?.epoch ?? reader.begin?.epoch ?? Cursor.origin.epoch
  const to = { ...reader, cursor: { epoch, seq: next - 1 } }
  // The log is not the one that was read, or lost its end: the numbers that the reader has say nothing about it.
  if (reason === "epoch" || reason === "ahead") {
    return [to, [announced({ epoch, after: body.after, next, missed: null, reason })]]
  }
  if (cursor?.epoch !== epoch) {
    const isOther = cursor !== undefined && !Cursor.isOrigin(cursor)
    const gap: Gap = isOther
      ? { epoch, after: 0, next, missed: null, reason: "epoch" }
      : { epoch, after: body.after, next, missed: next - 1 - body.after, reason }
    return [to, [announced(gap)]]
  }
  // From what the reader really has, which may be more or less than the server took it to have.
  if (next - 1 <= cursor.seq) return [reader, []]
  return [to, [announced({ epoch, after: cursor.seq, next, missed: next - 1 - cursor.seq, reason })]]
}

const onHello = (reader: Reader, body: ControlBody.Hello, at: Cursor.Cursor | undefined): Stepped => {
  const { heartbeat, mode, retry, token } = body
  // Cut off before the first event, it comes back here: from the head anew it would lose what was appended meanwhile.
  const cursor = reader.cursor ?? at
  return [{ ...reader, cursor, begin: body.cursor, heartbeat, retry }, [{ _tag: "Hello", mode, token }]]
}

/** A control frame that cannot be read changes nothing: what it would have announced shows as a gap at the next event. */
const onControl = (reader: Reader, control: ControlBody.Control, at: Cursor.Cursor | undefined): Stepped => {
  switch (control._tag) {
    case "Hello":
      return onHello(reader, control, at)
    case "Gap":
      return onGap(reader, control, at)
    case "Live":
    case "End": {
      const step: Step = control._tag === "Live" ? { _tag: "Live" } : { _tag: "End", reason: control.reason }
      if (control.cursor === undefined) return [reader, [step]]
      const [next, steps] = moved(reader, control.cursor)
      return [next, [...steps, step]]
    }
    case "Bye":
      return [{ ...reader, retry: control.retry }, [{ _tag: "Bye", reason: control.reason }]]
    case "Owner":
      return [reader, [{ _tag: "Owner" }]]
    case "Unreadable":
      return [reader, []]
  }
}

/** One decoded frame: what the reader is then, and what is to be done about it, in order. */
const receive = (reader: Reader, frame: Decoded): Stepped => {
  if (frame._tag === "Comment") return [reader, []]
  if (frame._tag === "Retry") return [{ ...reader, retry: frame.millis }, []]
  const at = Cursor.parse(frame.lastId)
  const control = ControlBody.parse(frame.name, frame.data)
  if (control !== undefined) return onControl(reader, control, at)
  return at === undefined ? [reader, []] : onEvent(reader, at, frame.name, frame.data)
}

/** The same for a piece of the stream. */
export const receiveAll = (reader: Reader, frames: ReadonlyArray<Decoded>): Stepped => {
  const all: Array<Step> = []
  let now = reader
  for (const frame of frames) {
    const [next, steps] = receive(now, frame)
    now = next
    all.push(...steps)
  }
  return [now, all]
}
