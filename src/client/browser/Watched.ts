import * as Cursor from "../../protocol/Cursor.ts"
import type { Said } from "../core/Frames.ts"
import * as Reader from "../core/Reader.ts"
import * as Readers from "../core/Readers.ts"

/** A session, and where to begin: at the `head` unless said. */
export type Watch = string | { readonly session: string; readonly from?: "start" | "head" | Cursor.Cursor }

/** Of one stream, with a space behind each (contract §2). */
const ids = /^(?:[\w.~:-]{1,128} ){1,100}$/

/**
 * The sessions of a client: where it is in each that has not ended, and which are live. One named twice is watched once.
 * Throws a `TypeError` for fewer than 1, more than 100, or what is no id of a session.
 */
export const make = (watches: ReadonlyArray<Watch>) => {
  const live = new Set<string>()
  let readers: Readers.Readers = new Map(
    watches.map((watch) => {
      const { from, session } = typeof watch === "string" ? { from: undefined, session: watch } : watch
      const place = typeof from === "object" ? from : from === "start" ? Cursor.origin : undefined
      return [session, Reader.make(place)]
    })
  )
  if (!ids.test([...readers.keys(), ""].join(" "))) {
    throw new TypeError("sessions: 1 to 100 ids of 1 to 128 A-Z a-z 0-9 ._~:-")
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
