import * as Cursor from "../../protocol/Cursor.ts"
import type { Decoded } from "../../protocol/FrameDecoder.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as Reader from "../core/Reader.ts"
import * as Readers from "../core/Readers.ts"

/** A session, and where to begin: `head` unless said. */
export type Watch = string | { readonly session: string; readonly from?: "start" | "head" | Cursor.Cursor }

/** The most sessions of one stream (contract §2). */
const maxSessions = 100

/** Before the first event of any log. */
const placeOf = (from: "start" | "head" | Cursor.Cursor): Cursor.Cursor | undefined => {
  if (from === "head") return undefined
  return from === "start" ? Cursor.origin : from
}

/** The sessions of a client: where it is in each, which are live, and which have ended. A session named twice is watched once. */
export class Watched {
  /** As they were named. */
  readonly sessions: ReadonlyArray<string>
  private readers: Readers.Readers
  private readonly over = new Set<string>()
  private readonly live = new Set<string>()

  /** Throws a `TypeError` for fewer than 1 or more than 100 sessions. */
  constructor(watches: ReadonlyArray<Watch>) {
    const readers = new Map<string, Reader.Reader>()
    for (const watch of watches) {
      const { from = "head", session } = typeof watch === "string" ? { session: watch } : watch
      if (!readers.has(session)) readers.set(session, Reader.make(placeOf(from)))
    }
    if (readers.size < 1 || readers.size > maxSessions) {
      throw new TypeError(`sessions: must be 1 to ${maxSessions}`)
    }
    this.readers = readers
    this.sessions = Array.from(readers.keys())
  }

  /** Those that have not ended. */
  get open(): ReadonlyArray<string> {
    return this.sessions.filter((session) => !this.over.has(session))
  }

  get isOver(): boolean {
    return this.open.length === 0
  }

  get isLive(): boolean {
    return this.open.every((session) => this.live.has(session))
  }

  /** Milliseconds without a byte after which a connection is dead. */
  get patience(): number {
    return Math.max(...Array.from(this.readers.values(), Reader.patience))
  }

  /** Milliseconds: the server asked not to come back sooner. */
  get retry(): number {
    return Math.max(...Array.from(this.readers.values(), ({ retry }) => retry))
  }

  /** What to ask for now. Nothing is live until the connection says so. */
  request(): { readonly path: string; readonly lastId: string | undefined } {
    this.live.clear()
    const { open } = this
    const readers = new Map(Array.from(this.readers).filter(([session]) => !this.over.has(session)))
    const [only] = this.sessions
    if (this.sessions.length === 1 && only !== undefined) {
      const cursor = readers.get(only)?.cursor
      const lastId = cursor === undefined ? undefined : Cursor.format(cursor)
      return { path: `${Paths.stream(only)}?from=head`, lastId }
    }
    const query = open.map((session) => `session=${encodeURIComponent(session)}`).join("&")
    return { path: `${Paths.manyStream}?from=head&${query}`, lastId: Readers.places(readers) }
  }

  /** What a piece of the stream says, in order. Of a session that has ended nothing is heard any more. */
  receive(frames: ReadonlyArray<Decoded>): ReadonlyArray<Readers.Step> {
    const [only] = this.sessions
    const [readers, steps] =
      this.sessions.length === 1 && only !== undefined
        ? this.single(only, frames)
        : Readers.receiveAll(this.readers, frames)
    this.readers = readers
    return steps.filter((told) => {
      if (told.session === undefined) return true
      if (this.over.has(told.session)) return false
      if (told.step._tag === "Live") this.live.add(told.session)
      if (told.step._tag === "End") this.over.add(told.session)
      return true
    })
  }

  /** Every session has ended: the server has nothing more. */
  end(): void {
    for (const session of this.sessions) this.over.add(session)
  }

  private single(
    session: string,
    frames: ReadonlyArray<Decoded>
  ): readonly [Readers.Readers, ReadonlyArray<Readers.Step>] {
    const [reader, steps] = Reader.receiveAll(this.readers.get(session) ?? Reader.make(), frames)
    const told = steps.map(
      (step): Readers.Step =>
        step._tag === "Hello" || step._tag === "Bye" ? { session: undefined, step } : { session, step }
    )
    return [new Map([[session, reader]]), told]
  }
}
