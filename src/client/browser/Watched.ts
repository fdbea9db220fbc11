import * as Cursor from "../../protocol/Cursor.ts"
import type { Said } from "../core/Frames.ts"
import * as Reader from "../core/Reader.ts"
import * as Readers from "../core/Readers.ts"

/** A session, and where to begin: at the `head` unless said. */
export type Watch = string | { readonly session: string; readonly from?: From }

/** Behind the event at a cursor, also as it is written in an `id:`; `start` is before the first one, `head` after the last. */
export type From = "start" | "head" | Cursor.Cursor | (string & {})

const pattern = /^[\w.~:-]{1,128}$/

/**
 * The sessions of a client: where it is in each that has not ended, and which are live. One named twice is watched once.
 * Throws a `TypeError` for fewer than 1, more than 100, what is no id of a session, and no place.
 */
export const make = (watches: ReadonlyArray<Watch>) => {
  const live = new Set<string>()
  let readers: Readers.Readers = new Map(
    watches.map((watch) => {
      const { from = "head", session } = typeof watch === "string" ? { session: watch } : watch
      const place =
        from === "start" ? Cursor.origin : Cursor.parse(typeof from === "string" ? from : Cursor.format(from))
      const isValid = pattern.test(session) && (place || from === "head")
      return [isValid ? session : "", Reader.make(place)]
    })
  )
  // The most of one stream (contract §2).
  if (readers.has("") || !readers.size || readers.size > 100) {
    throw new TypeError("sessions: 1-100 ids of 1-128 A-Z a-z 0-9 ._~:-, from start, head or cursor")
  }
  return {
    /** Of those that have not ended. */
    readers: () => readers,
    isOver: () => readers.size === 0,
    isLive: () => live.size === readers.size,
    /** What a piece of the stream says, in order. Of a session that has ended nothing is heard any more. */
    receive: (said: ReadonlyArray<Said>): ReadonlyArray<Readers.Step> => {
      const [next, steps] = Readers.receive(readers, said)
      readers = next
      for (const { session, step } of steps) {
        if (step.type === "opened" || step.type === "end") live.delete(session)
        if (step.type === "live") live.add(session)
      }
      return steps
    }
  }
}
