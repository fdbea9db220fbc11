import { Option } from "effect"
import type { Event } from "../domain/Event.ts"
import * as Frame from "../protocol/Frame.ts"
import { maxBytes as maxPageBytes } from "./Batch.ts"
import * as BatchRow from "./BatchRow.ts"
import type { EventRange, Page } from "./EventStore.ts"
import * as Frames from "./Frames.ts"

/** The most data, in bytes of UTF-8, that one answer of `readEvents` holds, unless a single event is larger. */
const maxEventBytes = 4_194_304

/** How many of `count` leading frames fit into `bytes`, and where they end. */
const fitting = (frames: Buffer, count: number, bytes: number): { readonly count: number; readonly end: number } => {
  let end = 0
  for (let taken = 0; taken < count; taken++) {
    const next = end + Frame.offsetAfter(frames.subarray(end), 1)
    if (next > bytes) return { count: taken, end }
    end = next
  }
  return { count, end }
}

/**
 * The frames after `after` as one page: at most `limit` (1 or more) events or 256 KiB, but at least one event.
 * `rows` come in order, the first one ends after `after`. They are pulled one by one, and no more than the page needs.
 */
export const page = (
  rows: Iterable<Pick<BatchRow.BatchRow, "first" | "last" | "frames">>,
  after: number,
  limit: number
): Option.Option<Page> => {
  const parts: Array<Buffer> = []
  let room = maxPageBytes
  let first = 0
  let last = 0
  for (const row of rows) {
    const from = Math.max(row.first, after + 1)
    if (parts.length === 0) first = from
    const frames =
      from === row.first ? row.frames : row.frames.subarray(Frame.offsetAfter(row.frames, from - row.first))
    const wanted = Math.min(row.last - from + 1, limit - (parts.length === 0 ? 0 : last - first + 1))
    if (from + wanted - 1 === row.last && frames.length <= room) {
      parts.push(frames)
      last = row.last
      room -= frames.length
      if (last - first + 1 === limit) break
      continue
    }
    const fit = fitting(frames, wanted, room)
    if (fit.count > 0) {
      parts.push(frames.subarray(0, fit.end))
      last = from + fit.count - 1
    } else if (parts.length === 0) {
      parts.push(frames.subarray(0, Frame.offsetAfter(frames, 1)))
      last = from
    }
    break
  }
  return parts.length === 0 ? Option.none() : Option.some({ first, last, frames: Frames.concat(parts) })
}

/** The events of `range` in its order; `rows` come in that order and are pulled one by one, as `page` does. */
export const events = (rows: Iterable<BatchRow.BatchRow>, range: EventRange): ReadonlyArray<Event> => {
  const taken: Array<Event> = []
  let bytes = 0
  for (const row of rows) {
    const left = range.limit - taken.length
    const lowest = Math.max(row.first, range.after + 1)
    const highest = Math.min(row.last, range.before - 1)
    const isUp = range.order === "asc"
    const from = isUp ? lowest : Math.max(lowest, highest - left + 1)
    const inRange = BatchRow.events(row, from, isUp ? Math.min(highest, lowest + left - 1) : highest)
    if (inRange.length === 0) break
    for (const event of isUp ? inRange : inRange.toReversed()) {
      bytes += Buffer.byteLength(event.data)
      if (taken.length > 0 && bytes > maxEventBytes) return taken
      taken.push(event)
      if (taken.length >= range.limit) return taken
    }
  }
  return taken
}
