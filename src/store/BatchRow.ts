import { Schema } from "effect"
import type { Event, NewEvent } from "../domain/Event.ts"
import * as Frame from "../protocol/Frame.ts"
import * as FrameDecoder from "../protocol/FrameDecoder.ts"
import type { Batch } from "./Batch.ts"
import * as Frames from "./Frames.ts"

/** A batch as an engine keeps it: its frames as they are sent, so that replay passes bytes on and encodes nothing. */
export interface BatchRow {
  readonly first: number
  readonly last: number
  /** Epoch milliseconds of the commit. */
  readonly at: number
  readonly frames: Buffer
  /** Data that its frame does not give back as sent, as JSON `[[seq, data], …]`; null, as nearly always, when there is none. */
  readonly exact: string | null
}

const Exact = Schema.parseJson(Schema.Array(Schema.Tuple(Schema.Int, Schema.String)))
const decodeExact = Schema.decodeSync(Exact)
const encodeExact = Schema.encodeSync(Exact)

/** What UTF-8 keeps of a text, so that exact data and data from frames say the same of a lone surrogate: U+FFFD. */
const asUtf8 = (text: string): string => Buffer.from(text).toString()

const exactOf = (first: number, events: ReadonlyArray<NewEvent>): string | null => {
  if (!events.some((event) => Frame.isLossy(event.data))) return null
  return encodeExact(
    events.flatMap(({ data }, index) => (Frame.isLossy(data) ? [[first + index, asUtf8(data)] as const] : []))
  )
}

export const fromBatch = ({ at, events, first, frames, last }: Batch): BatchRow => ({
  first,
  last,
  at,
  frames: Frames.bytes(frames),
  exact: exactOf(first, events)
})

/** The events `from` to `to` of a row, in order, decoded from its frames: a page of a large row decodes the page alone. */
export const events = (row: BatchRow, from: number, to: number): ReadonlyArray<Event> => {
  if (from > to) return []
  const exact = new Map(row.exact === null ? [] : decodeExact(row.exact))
  const at = new Date(row.at).toISOString()
  const begin = Frame.offsetAfter(row.frames, from - row.first)
  const end = to === row.last ? row.frames.length : begin + Frame.offsetAfter(row.frames.subarray(begin), to - from + 1)
  const decoded: Array<Event> = []
  for (const frame of FrameDecoder.make().feed(row.frames.toString("utf8", begin, end))) {
    if (frame._tag !== "Event") continue
    const seq = from + decoded.length
    decoded.push({ seq, name: frame.name, data: exact.get(seq) ?? frame.data, at })
  }
  return decoded
}
