import * as VectorCursor from "../../protocol/VectorCursor.ts"
import type { Said } from "./Frames.ts"
import * as Reader from "./Reader.ts"

/** The readers of one stream, by session, of those that have not ended. Pure, as `Reader`. */
export type Readers = ReadonlyMap<string, Reader.Reader>

/** What a driver has to do about a session. */
export interface Step {
  readonly session: string
  readonly step: Reader.Step
}

/** What a piece of the stream makes of them, and what is to be done, in order. */
export const receive = (readers: Readers, said: ReadonlyArray<Said>): readonly [Readers, ReadonlyArray<Step>] => {
  const now = new Map(readers)
  const all: Array<Step> = []
  for (const { message, session } of said) {
    if (session === undefined) continue
    const reader = now.get(session)
    if (reader === undefined) continue // of nobody here: a broadcast, or what is watched no more
    const [next, steps] = Reader.receive(reader, message)
    if (message.type === "end") now.delete(session)
    else now.set(session, next)
    for (const step of steps) all.push({ session, step })
  }
  return [now, all]
}

/** What to send as `Last-Event-ID`: the places of those that have one. `undefined`: of none. */
export const places = (readers: Readers): string | undefined => {
  const known = Array.from(readers).flatMap(([session, { cursor }]) =>
    cursor === undefined ? [] : [VectorCursor.formatEntry(session, cursor)]
  )
  return known.length === 0 ? undefined : VectorCursor.joinEntries(known)
}
