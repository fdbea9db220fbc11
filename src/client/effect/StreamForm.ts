import * as Cursor from "../../protocol/Cursor.ts"
import type { Decoded } from "../../protocol/FrameDecoder.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as Frames from "../core/Frames.ts"
import * as Readers from "../core/Readers.ts"

/** How a stream is asked for and read: of one session, or of several (contract §4). */
export interface StreamForm {
  readonly path: string
  /** For those that have not ended. */
  readonly query: (readers: Readers.Readers) => ReadonlyArray<readonly [string, string]>
  /** What to send as `Last-Event-ID`; `undefined`: no place is known. */
  readonly place: (readers: Readers.Readers) => string | undefined
  readonly read: (frame: Decoded) => ReadonlyArray<Frames.Said>
}

const ofOne = (session: string): StreamForm => ({
  path: Paths.stream(session),
  query: () => [],
  place: (readers) => {
    const cursor = readers.get(session)?.cursor
    return cursor && Cursor.format(cursor)
  },
  read: Frames.ofOne(session)
})

const ofSeveral: StreamForm = {
  path: Paths.manyStream,
  query: (readers) => Array.from(readers.keys(), (session) => ["session", session]),
  place: Readers.places,
  read: Frames.ofSeveral
}

/** One session has its own stream: each of its frames carries its place. */
export const make = (sessions: ReadonlyArray<string>): StreamForm => {
  const [only, second] = sessions
  return only !== undefined && second === undefined ? ofOne(only) : ofSeveral
}
