import { Effect, Layer, Schema } from "effect"
import type { Event } from "../../src/domain/Event.ts"
import type { SessionId } from "../../src/domain/Session.ts"
import * as SessionEvent from "../../src/protocol/SessionEvent.ts"
import * as Messages from "../../src/session/inbox/Messages.ts"
import * as Processes from "../../src/session/worker/Processes.ts"
import * as SessionRecovery from "../../src/session/SessionRecovery.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import { FaultyStore } from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { CapturedLog } from "./CapturedLog.ts"
import * as SessionRooms from "./SessionRooms.ts"

export interface Options extends SessionRooms.Options {
  readonly process?: Partial<Processes.Options>
}

/** The rooms up to the processes, over a store in memory that can be told to fail. What a crash left is moved on first. */
export const layer = ({ process, ...below }: Options = {}) => {
  const options = { ...Processes.defaults, ...process }
  return Processes.layer(options).pipe(
    Layer.provide(SessionRecovery.layer),
    Layer.provideMerge(Messages.layer),
    Layer.provideMerge(SessionRooms.layer(below))
  )
}

export const rooms = Effect.all({
  faulty: FaultyStore,
  captured: CapturedLog,
  messages: Messages.Messages,
  processes: Processes.Processes,
  sessions: SessionRegistry,
  store: EventStore
})

const Body = Schema.parseJson(
  Schema.Struct({
    state: Schema.optional(Schema.String),
    reason: Schema.optional(Schema.String),
    event: Schema.optional(Schema.String),
    problem: Schema.optional(Schema.String),
    subtask: Schema.optional(Schema.String),
    code: Schema.optional(Schema.NullOr(Schema.Number)),
    signal: Schema.optional(Schema.NullOr(Schema.String)),
    id: Schema.optional(Schema.String)
  })
)
const decode = Schema.decodeSync(Body)
const serverNames: ReadonlyArray<string> = Object.values(SessionEvent.names)

/** `ENDED (crashed)`, `interrupt_failed: why`, `message m1`; of a producer's event its data. */
const line = ({ data, name }: Event): string => {
  if (!serverNames.includes(name)) return data
  const { code, event, id, problem, reason, signal, state, subtask } = decode(data)
  if (name === SessionEvent.names.message) return `message ${id}`
  const words = [event ?? state, subtask ?? id, code ?? signal].filter((word) => word !== undefined && word !== null)
  const why =
    problem === undefined ? (reason === undefined || state === undefined ? "" : ` (${reason})`) : `: ${problem}`
  return `${words.join(" ")}${why}`
}

const all = { after: 0, before: Number.MAX_SAFE_INTEGER, limit: 10_000, order: "asc" } as const

/** The whole log of a session, a line each. */
export const log = (session: SessionId) =>
  Effect.flatMap(EventStore, (store) => Effect.map(store.readEvents(session, all), (events) => events.map(line)))

/** The log once it has such a line; as it is after so many turns that it never will. */
export const logWith = (
  session: SessionId,
  start: string,
  turns = 300
): Effect.Effect<ReadonlyArray<string>, never, EventStore> =>
  Effect.flatMap(Effect.orDie(log(session)), (lines) =>
    turns === 0 || lines.some((line) => line.startsWith(start))
      ? Effect.succeed(lines)
      : Effect.zipRight(settled, logWith(session, start, turns - 1))
  )

/** A message as a client sends it. */
export const message = (id: string, data: unknown = id): Messages.NewMessage => ({
  id,
  data: JSON.stringify(data),
  from: null,
  token: null
})
