import * as ControlFrame from "../../protocol/ControlFrame.ts"
import * as Cursor from "../../protocol/Cursor.ts"
import type { Decoded } from "../../protocol/FrameDecoder.ts"
import * as VectorCursor from "../../protocol/VectorCursor.ts"
import { isBody, parseBody, text } from "./ControlBody.ts"
import * as Reader from "./Reader.ts"

/**
 * The readers of several sessions over one stream. Each frame is handed to the reader of its session in the form that a stream
 * over that session alone has, so that one set of rules holds for both. Pure, as `Reader`.
 */
export type Readers = ReadonlyMap<string, Reader.Reader>

type OfConnection = Extract<Reader.Step, { readonly _tag: "Hello" | "Bye" }>

/** What a driver has to do, in order. What is of the connection comes once, for all. */
export type Step =
  | { readonly session: string; readonly step: Exclude<Reader.Step, OfConnection> }
  | { readonly session: undefined; readonly step: OfConnection }

type Stepped = readonly [Readers, ReadonlyArray<Step>]
const event = (name: string, data: string, lastId = ""): Decoded => ({ _tag: "Event", name, data, lastId })

/** The frames of a stream over one session that say the same, with the session that they are of. */
const split = (frame: Extract<Decoded, { readonly _tag: "Event" }>): ReadonlyArray<readonly [string, Decoded]> => {
  const body = parseBody(frame.data)
  if (frame.name === ControlFrame.names.hello) {
    const { sessions, ...greeting } = body
    const places = VectorCursor.parse(frame.lastId)
    return (Array.isArray(sessions) ? sessions.filter(isBody) : []).map((opened) => {
      const session = text(opened["session"])
      const place = places?.get(session)
      const id = place === undefined ? "" : Cursor.format(place)
      return [session, event(frame.name, JSON.stringify({ ...greeting, ...opened }), id)]
    })
  }
  const session = text(body["session"])
  if (frame.name !== "message") return [[session, event(frame.name, frame.data)]]
  const { data, epoch, name, seq } = body
  return [[session, event(text(name), text(data), `${text(epoch)}.${String(seq)}`)]]
}

const isOfConnection = (step: Reader.Step): step is OfConnection => step._tag === "Hello" || step._tag === "Bye"

/** What a piece of the stream makes of them. */
export const receiveAll = (readers: Readers, frames: ReadonlyArray<Decoded>): Stepped => {
  const now = new Map(readers)
  const all: Array<Step> = []

  const receive = (session: string, frame: Decoded): ReadonlyArray<Reader.Step> => {
    const reader = now.get(session)
    if (reader === undefined) return [] // of nobody here: a broadcast, or what is watched no more
    const [next, steps] = Reader.receiveAll(reader, [frame])
    now.set(session, next)
    return steps
  }

  for (const frame of frames) {
    if (frame._tag === "Comment") continue
    const isForAll = frame._tag === "Retry" || frame.name === ControlFrame.names.bye
    const parts = isForAll ? Array.from(now.keys(), (session) => [session, frame] as const) : split(frame)
    let isTold = false
    for (const [session, part] of parts) {
      for (const step of receive(session, part)) {
        if (!isOfConnection(step)) all.push({ session, step })
        else if (!isTold) all.push({ session: undefined, step })
        isTold ||= isOfConnection(step)
      }
    }
  }
  return [now, all]
}

/** What to send as `Last-Event-ID`: the places of those that have one. `undefined`: of none. */
export const places = (readers: Readers): string | undefined => {
  const known = new Map(
    Array.from(readers).flatMap(([session, { cursor }]) => (cursor === undefined ? [] : [[session, cursor] as const]))
  )
  return known.size === 0 ? undefined : VectorCursor.format(known)
}
