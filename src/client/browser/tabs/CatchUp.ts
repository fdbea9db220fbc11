import type { Said } from "../../core/Frames.ts"
import type * as Reader from "../../core/Reader.ts"
import * as Readers from "../../core/Readers.ts"
import * as Cursor from "../../../protocol/Cursor.ts"
import * as HistoryPages from "../HistoryPages.ts"
import type { Remote } from "../Remote.ts"

/** Where a reader must be for what is said to be the next. */
const placeBefore = (message: Said["message"]): Cursor.Cursor | undefined => {
  if (message.type === "event") return { epoch: message.epoch, seq: message.seq - 1 }
  return message.type === "live" || message.type === "end" ? message.cursor : undefined
}

/** A gap of the place where the stream began, in another log or behind the head, while this reader's place is a good one. */
const isOfOthers = ({ cursor, epoch }: Reader.Reader, message: Said["message"]): boolean => {
  if (cursor === undefined || message.type !== "gap") return false
  const isInLog = Cursor.isOrigin(cursor) || cursor.epoch === epoch
  return isInLog && (message.reason === "epoch" || (message.reason === "ahead" && cursor.seq < message.next))
}

/** The events that a tab has not, before it can take what was said; `undefined`: none. */
const missing = (reader: Reader.Reader | undefined, message: Said["message"]): Reader.Gap | undefined => {
  const cursor = reader?.cursor
  const to = placeBefore(message)
  // At the head it begins where the others are. Of another log it gets a gap: its numbers say nothing there.
  if (cursor === undefined || to === undefined) return undefined
  if (!Cursor.isOrigin(cursor) && cursor.epoch !== to.epoch) return undefined
  const after = Cursor.isOrigin(cursor) ? 0 : cursor.seq
  if (to.seq <= after) return undefined
  return { epoch: to.epoch, after, next: to.seq + 1, missed: to.seq - after, reason: "retention" }
}

/** What the history has of it, in the words of a stream. */
async function* fromHistory(remote: Remote, session: string, gap: Reader.Gap, signal: AbortSignal) {
  for await (const { events, lost } of HistoryPages.pages(remote, session, signal, gap)) {
    const said: Array<Said> = []
    if (lost !== undefined) said.push({ session, message: { ...lost, type: "gap", reason: "retention" } })
    for (const { data, epoch, name, seq } of events) {
      said.push({ session, message: { type: "event", epoch, seq, name, data } })
    }
    yield said
  }
}

/**
 * What was said to all tabs, for one that may be behind: what it lacks is read from the history first, the newest `most` events
 * of it; of those before, and of what cannot be had there, its reader tells a gap. `readers` are those of the tab, moved by
 * each part before the next.
 */
export async function* catchUp(
  remote: Remote,
  readers: () => Readers.Readers,
  said: ReadonlyArray<Said>,
  most: number,
  signal: AbortSignal
): AsyncGenerator<ReadonlyArray<Said>, void, undefined> {
  let ready: Array<Said> = []
  let ahead = readers()
  for (const one of said) {
    const { message, session } = one
    const reader = session === undefined ? undefined : ahead.get(session)
    if (reader !== undefined && isOfOthers(reader, message)) continue
    const gap = missing(reader, message)
    if (session !== undefined && gap !== undefined) {
      const { after, next } = gap
      const from = Math.max(after, next - 1 - most)
      if (from > after) ready.push({ session, message: { type: "gap", after, next: from + 1, reason: "cap" } })
      yield ready
      ready = []
      try {
        yield* fromHistory(remote, session, { ...gap, after: from }, signal)
      } catch {}
      ahead = readers()
    }
    ready.push(one)
    ahead = Readers.receive(ahead, [one])[0]
  }
  yield ready
}
