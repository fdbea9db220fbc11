import { type Context, Effect, Layer, Metric, Schema } from "effect"
import * as ConnectionRegistry from "../../src/connection/ConnectionRegistry.ts"
import type { WatchRequest } from "../../src/connection/Watching.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import type { SessionId } from "../../src/domain/Session.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { FaultyStore } from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { CapturedLog } from "../session/CapturedLog.ts"
import * as SessionRooms from "../session/SessionRooms.ts"

export interface Options extends SessionRooms.Options {
  readonly connection?: Partial<ConnectionRegistry.Options>
}

/** The rooms up to `connection`, over a store in memory that can be told to fail. Not shared: each test builds its own. */
export const layer = ({ connection, ...below }: Options = {}) =>
  ConnectionRegistry.layer({ ...ConnectionRegistry.defaults, ...connection }).pipe(
    Layer.provideMerge(SessionRooms.layer(below))
  )

export const rooms = Effect.all({
  connections: ConnectionRegistry.ConnectionRegistry,
  faulty: FaultyStore,
  log: CapturedLog,
  sessions: SessionRegistry,
  store: EventStore
})

type Connections = Context.Tag.Service<ConnectionRegistry.ConnectionRegistry>

export const at = (epoch: string, seq: number): ReplayPlan.Position => ReplayPlan.at({ epoch, seq })

/** A client of one session, from its head unless it says otherwise. It reads at once. */
export const open = (
  connections: Connections,
  session: SessionId,
  position: ReplayPlan.Position = ReplayPlan.head,
  socket = new TestSocket.TestSocket()
): TestSocket.TestSocket => {
  connections.open(socket, { form: "single", watches: [{ session, position }], isBadCursor: false })
  return socket
}

/** A client of several sessions. */
export const openMany = (
  connections: Connections,
  watches: ReadonlyArray<WatchRequest>,
  socket = new TestSocket.TestSocket()
): TestSocket.TestSocket => {
  connections.open(socket, { form: "many", watches, isBadCursor: false })
  return socket
}

export const watch = (session: SessionId, position: ReplayPlan.Position = ReplayPlan.head) => ({ session, position })

const decodeHello = Schema.decodeUnknownSync(Schema.Struct({ token: Schema.String }))

/** The token that a client was told. */
export const token = (socket: TestSocket.TestSocket): string => decodeHello(socket.told("hello")[0]).token

/** The numbers that a client of one session got, in order. */
export const seqs = (socket: TestSocket.TestSocket): ReadonlyArray<number> =>
  socket.messages.map(({ lastId }) => Cursor.parse(lastId)?.seq ?? 0)

const decodeWrapped = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ session: Schema.String, seq: Schema.Number, data: Schema.String }))
)

/** What a client of several sessions got, in order. */
const wrapped = (socket: TestSocket.TestSocket) => socket.messages.map(({ data }) => decodeWrapped(data))

/** The same as `session seq`. */
export const places = (socket: TestSocket.TestSocket): ReadonlyArray<string> =>
  wrapped(socket).map(({ seq, session }) => `${session} ${seq}`)

export const fromTo = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => first + index)

/** Waits until a client of one session has event `seq`. */
export const hasSeq = (socket: TestSocket.TestSocket, seq: number): Effect.Effect<void> =>
  socket.until(({ events }) => Cursor.parse(events.at(-1)?.lastId ?? "")?.seq === seq)

const count = (metric: Metric.Metric.Counter<number>) => Effect.map(Metric.value(metric), ({ count }) => count)
/** Connection actors that died, of the whole process. */
export const deaths = count(Metrics.connectionActorFailures)
/** Watches that fell back to the log, of the whole process. */
export const fallbacks = count(Metrics.logFallbacks)
