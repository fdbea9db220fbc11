import { Option, Schema } from "effect"
import * as Cursor from "../../protocol/Cursor.ts"
import type { StreamEvent } from "../StreamClient.ts"

const decode = <A, I>(schema: Schema.Schema<A, I>) => {
  const parse = Schema.decodeUnknownOption(Schema.parseJson(schema))
  return (data: string) => Option.getOrUndefined(parse(data))
}
const Place = Schema.NullOr(Schema.String)
const Opened = Schema.Struct({ session: Schema.String, epoch: Place, cursor: Place })
const hello = decode(Schema.Union(Schema.Struct({ sessions: Schema.Array(Opened) }), Opened))
const live = decode(Schema.Struct({ session: Schema.String, cursor: Place }))
const end = decode(Schema.Struct({ session: Schema.String, reason: Schema.String }))
const Unlogged = Schema.Struct({ session: Schema.Null, name: Schema.String, data: Schema.String })
const Logged = Schema.Struct({
  session: Schema.String,
  epoch: Schema.String,
  seq: Schema.Number,
  name: Schema.String,
  data: Schema.String
})
const wrapped = decode(Schema.Union(Unlogged, Logged))
const gap = decode(
  Schema.Struct({
    session: Schema.String,
    after: Schema.Number,
    next: Schema.Number,
    missed: Schema.NullOr(Schema.Number),
    head: Schema.Number,
    reason: Schema.String
  })
)

export interface Gap {
  readonly session: string
  readonly after: number
  readonly next: number
  readonly head: number
  readonly reason: string
}

export interface Message {
  readonly session: string
  readonly epoch: string
  readonly seq: number
  readonly data: string
}

/** What a client got on one stream, as a reader judges it who knows the protocol alone (promise 2). */
export interface Reading {
  /** The number that must come next, by session. */
  readonly next: ReadonlyMap<string, number>
  readonly messages: ReadonlyArray<Message>
  readonly gaps: ReadonlyArray<Gap>
  /** Why each session that ended did. */
  readonly ended: ReadonlyMap<string, string>
  /** It was said where each session begins. */
  readonly hasBegun: boolean
  /** What is told to every new stream: the last value of each name, before anything of a session. */
  readonly retained: ReadonlyMap<string, string>
  /** Where the stream broke the rules, a line each. */
  readonly problems: ReadonlyArray<string>
}

const control = new Set(["sluice.hello", "sluice.gap", "sluice.live", "sluice.end", "sluice.bye", "sluice.owner"])
const seqOf = (cursor: string | null): number => (cursor === null ? 0 : (Cursor.parse(cursor)?.seq ?? -1))

/** `from`: where the client asked to begin, by session; `undefined` at the head. `only`: the session of a stream over one. */
export const read = (
  events: ReadonlyArray<StreamEvent>,
  from: ReadonlyMap<string, number | undefined>,
  only: string | undefined
): Reading => {
  const next = new Map<string, number>()
  const epochs = new Map<string, string | null>()
  const messages: Array<Message> = []
  const gaps: Array<Gap> = []
  const ended = new Map<string, string>()
  const retained = new Map<string, string>()
  const problems: Array<string> = []
  let isOpening = true

  const expect = (is: boolean, problem: string): void => {
    if (!is) problems.push(problem)
  }

  const logged = ({ data, epoch, seq, session }: Message): void => {
    isOpening = false
    const known = epochs.get(session)
    expect(known === undefined || known === null || known === epoch, `${session}: an event of another log`)
    expect(seq === next.get(session), `${session}: ${seq} in place of ${next.get(session)}`)
    expect(!ended.has(session), `${session}: an event after its end`)
    epochs.set(session, epoch)
    next.set(session, seq + 1)
    messages.push({ session, epoch, seq, data })
  }

  const frame = (event: StreamEvent): void => {
    if (event.name === "sluice.hello") {
      const said = hello(event.data)
      if (said === undefined) return expect(false, "a hello that nobody can read")
      for (const { cursor, epoch, session } of "sessions" in said ? said.sessions : [said]) {
        epochs.set(session, epoch)
        next.set(session, (from.get(session) ?? seqOf(cursor)) + 1)
      }
      return
    }
    if (event.name === "sluice.gap") {
      isOpening = false
      const said = gap(event.data)
      if (said === undefined) return expect(false, "a gap that nobody can read")
      const { after, missed, session } = said
      if (missed !== null) {
        expect(
          after + 1 === next.get(session),
          `${session}: a gap after ${after}, the reader is before ${next.get(session)}`
        )
        expect(
          missed === said.next - after - 1 && missed > 0,
          `${session}: a gap of ${missed} from ${after} to ${said.next}`
        )
      }
      next.set(session, said.next)
      gaps.push(said)
      return
    }
    if (event.name === "sluice.live") {
      isOpening = false
      const said = live(event.data)
      if (said === undefined) return expect(false, "a live that nobody can read")
      const at = seqOf(said.cursor) + 1
      return expect(
        at === next.get(said.session),
        `${said.session}: live before ${at} and not ${next.get(said.session)}`
      )
    }
    if (event.name === "sluice.end") {
      const said = end(event.data)
      if (said !== undefined) ended.set(said.session, said.reason)
      return
    }
    if (event.name === "sluice.bye" || event.name === "sluice.owner") return
    if (only !== undefined) {
      const cursor = Cursor.parse(event.lastId)
      if (event.name.startsWith("kept.")) {
        if (isOpening) retained.set(event.name, event.data)
      } else logged({ session: only, epoch: cursor?.epoch ?? "", seq: cursor?.seq ?? -1, data: event.data })
      return
    }
    if (event.name === "note") return // of the backend, beside all sessions
    const said = wrapped(event.data)
    if (said === undefined) return expect(false, "an event that nobody can read")
    if (said.session !== null) logged(said)
    else if (isOpening) retained.set(said.name, said.data)
  }

  for (const event of events) {
    if (control.has(event.name) || !event.name.startsWith("sluice.") || only !== undefined) frame(event)
    else expect(false, `a frame of an unknown name: ${event.name}`)
  }
  return { next, messages, gaps, ended, hasBegun: next.size > 0, retained, problems }
}
