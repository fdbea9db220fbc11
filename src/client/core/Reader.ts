import type * as ControlFrame from "../../protocol/ControlFrame.ts"
import * as Cursor from "../../protocol/Cursor.ts"

/**
 * A reader of one session over any number of connections: what it has. Pure; a driver feeds it what the frames say and obeys
 * its steps. It never repeats an event and never passes a hole in silence.
 */
export interface Reader {
  /** The last event that it has, or the place to which a gap or `live` moved it: where to come back. */
  readonly cursor: Cursor.Cursor | undefined
  /** Of the log that the present connection reads: a gap names none. */
  readonly epoch: string
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

/** What a frame says of one session, and what a driver hears of it unless the reader has it already. */
export type Told =
  /** A connection begins, at `place`. */
  | { readonly type: "opened"; readonly mode: string; readonly epoch: string; readonly place: Cursor.Cursor }
  | ({ readonly type: "event"; readonly epoch: string } & Event)
  /** All that was committed until now has come. */
  | { readonly type: "live"; readonly cursor: Cursor.Cursor | undefined }
  /** Nothing follows. */
  | { readonly type: "end"; readonly cursor: Cursor.Cursor | undefined; readonly reason: ControlFrame.End["reason"] }
  /** The session is another connection's for writing; this one still watches it. */
  | { readonly type: "owner" }

export type Message =
  | Told
  | { readonly type: "gap"; readonly after: number; readonly next: number; readonly reason: ControlFrame.GapReason }

/** What a driver has to do, in order. */
export type Step = Told | { readonly type: "gap"; readonly gap: Gap }

type Stepped = readonly [Reader, ReadonlyArray<Step>]

/** Without a cursor it begins where the first connection does. */
export const make = (cursor?: Cursor.Cursor): Reader => ({ cursor, epoch: Cursor.origin.epoch })

/** It stands at `seq` from now on. What lies between is a gap, of which the server said `reason` and `after`, or nothing. */
const moved = (
  reader: Reader,
  epoch: string,
  seq: number,
  reason: Gap["reason"] = "unannounced",
  after?: number
): Stepped => {
  const { cursor } = reader
  // A log that lost its end goes back, and its numbers are used again.
  const isReplaced = reason === "epoch" || reason === "ahead"
  if (!isReplaced && cursor?.epoch === epoch && seq <= cursor.seq) return [reader, []]
  const gap = (from: number, missed: number | null, reason: Gap["reason"]): Stepped => [
    { epoch, cursor: { epoch, seq } },
    missed === 0 ? [] : [{ type: "gap", gap: { epoch, after: from, next: seq + 1, missed, reason } }]
  ]
  if (isReplaced) return gap(after ?? 0, null, reason)
  if (cursor === undefined || Cursor.isOrigin(cursor)) {
    const from = after ?? (cursor === undefined ? seq : 0)
    return gap(from, seq - from, reason)
  }
  // The numbers that the reader has say nothing about another log.
  if (cursor.epoch !== epoch) return gap(0, null, "epoch")
  // From what it really has, which may be more or less than the server took it to have.
  return gap(cursor.seq, seq - cursor.seq, reason)
}

/** What the reader is then, and what is to be done about it, in order. */
export const receive = (reader: Reader, message: Message): Stepped => {
  const { cursor } = reader
  switch (message.type) {
    case "opened":
      // Cut off before the first event, it comes back here: from the head anew it would lose what was appended meanwhile.
      return [{ cursor: cursor ?? message.place, epoch: message.epoch }, [message]]
    case "event": {
      const { epoch, seq } = message
      if (cursor?.epoch === epoch && seq <= cursor.seq) return [reader, []]
      const [, steps] = moved(reader, epoch, seq - 1)
      return [{ epoch, cursor: { epoch, seq } }, [...steps, message]]
    }
    case "gap":
      return moved(reader, reader.epoch, message.next - 1, message.reason, message.after)
    default: {
      const to = "cursor" in message ? message.cursor : undefined
      const [next, steps] = to === undefined ? [reader, []] : moved(reader, to.epoch, to.seq)
      return [next, [...steps, message]]
    }
  }
}
