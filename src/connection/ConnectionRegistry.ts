import { randomUUID } from "node:crypto"
import { Context, Duration, Effect, FiberId, FiberSet, Layer } from "effect"
import { maxWatches } from "../domain/Connection.ts"
import type * as ReplayPlan from "../domain/ReplayPlan.ts"
import type { SessionId } from "../domain/Session.ts"
import { ConnectionNotFound, InvalidRequest, type StoreError } from "../domain/SessionError.ts"
import * as ControlFrame from "../protocol/ControlFrame.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import { EventStore } from "../store/EventStore.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { Connection, type House } from "./Connection.ts"
import * as ConnectionActor from "./ConnectionActor.ts"
import * as Deadlines from "./Deadlines.ts"
import * as Opening from "./Opening.ts"
import * as Outgoing from "./Outgoing.ts"
import type { Form } from "./SocketWriter.ts"
import type { StreamSocket } from "./StreamSocket.ts"

export interface Options extends Outgoing.Bounds {
  readonly heartbeat: Duration.Duration
  /** A socket that takes no byte for so long is closed. */
  readonly stall: Duration.Duration
  /** A stream ends after this, give or take 20 %; `undefined` = never. */
  readonly maxAge: Duration.Duration | undefined
  /** Events that one connect replays per session. */
  readonly replayCap: number
  readonly maxConnections: number
}

export const defaults: Options = {
  ...Outgoing.defaults,
  heartbeat: Duration.seconds(15),
  stall: Duration.seconds(30),
  maxAge: Duration.seconds(900),
  replayCap: 200,
  maxConnections: 50_000
}

/** Milliseconds that a browser waits before it returns, unless a `sluice.bye` says otherwise. */
const retry = 2000
/** After a shutdown clients return within so many milliseconds, spread evenly. */
const shutdownSpread = 10_000
const overloadSpread = 30_000

export interface WatchRequest {
  readonly session: SessionId
  readonly position: ReplayPlan.Position
}

export interface StreamRequest {
  readonly form: Form
  readonly watches: ReadonlyArray<WatchRequest>
  /** `Last-Event-ID` was no cursor: a browser cannot correct it, so it is told. */
  readonly isBadCursor: boolean
}

/** Opens, finds and ends the connections of this server. */
export class ConnectionRegistry extends Context.Tag("sluice/connection/ConnectionRegistry")<
  ConnectionRegistry,
  {
    /** Takes over the socket. Never fails: what is wrong is said on the stream, as `sluice.bye`. */
    readonly open: (socket: StreamSocket, request: StreamRequest) => void
    /** Adds watches to a stream over several sessions, all or none. The ids that it watches then. */
    readonly watch: (
      token: string,
      watches: ReadonlyArray<WatchRequest>
    ) => Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound | InvalidRequest | StoreError>
    readonly unwatch: (
      token: string,
      sessions: ReadonlyArray<SessionId>
    ) => Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound | InvalidRequest>
    readonly size: () => number
    /** From now on streams end as they begin. Says `sluice.bye` to all open ones; done when all have ended. */
    readonly drain: Effect.Effect<void>
  }
>() {}

/** In [0, 1), fixed by the random token: spreads what must not happen to all connections at once. */
const chance = (token: string): number => Number.parseInt(token.slice(0, 8), 16) / 2 ** 32

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const sessions = yield* SessionRegistry
    const store = yield* EventStore
    const clock = yield* Effect.clock
    const deadlines = yield* Deadlines.make
    const connections = new Map<string, Connection>()
    const fibers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(fibers)<never>()
    let draining = false

    let dirty: Array<Connection> = []
    const flushAll = () => {
      const flushing = dirty
      dirty = []
      const now = clock.unsafeCurrentTimeMillis()
      for (const connection of flushing) connection.flush(now)
    }

    const house: House = {
      timing: { heartbeat: Duration.toMillis(options.heartbeat), stall: Duration.toMillis(options.stall) },
      bounds: options,
      now: () => clock.unsafeCurrentTimeMillis(),
      flushSoon: (connection) => {
        if (dirty.length === 0) queueMicrotask(flushAll)
        dirty.push(connection)
      },
      schedule: deadlines.schedule
    }

    const counted = () => Metrics.connections.unsafeUpdate(connections.size, [])

    const refuse = (socket: StreamSocket, reason: "shutdown" | "overload", spread: number) => {
      const wait = 1000 + Math.floor(chance(randomUUID()) * spread)
      socket.writeText(ControlFrame.bye({ reason, retry: wait }))
      socket.end()
    }

    const opening = (connection: Connection, request: StreamRequest): Effect.Effect<void, StoreError> => {
      const begin = (wishes: ReadonlyArray<Opening.Wish>) => {
        const opened = wishes.map((wish) => Opening.begin(request.form, wish, options.replayCap, connection))
        const told = request.isBadCursor ? opened.map(Opening.reset) : opened
        connection.seams = opened.map(({ seam }) => seam)
        const greeting = { token: connection.token, heartbeat: Duration.toSeconds(options.heartbeat), retry }
        const problem = request.isBadCursor ? ({ problem: "bad_cursor" } as const) : {}
        connection.write(Opening.greet(request.form, { ...greeting, ...problem }, told))
      }
      return Effect.map(wishesOf(request.watches), begin)
    }

    /** All actors, then all wishes: live actors are found without waiting, so that watching follows in the same step. */
    const wishesOf = (watches: ReadonlyArray<WatchRequest>): Effect.Effect<ReadonlyArray<Opening.Wish>, StoreError> =>
      Effect.suspend(() => {
        const asleep = watches.filter(({ session }) => sessions.find(session) === undefined)
        if (asleep.length > 0) {
          return Effect.zipRight(
            Effect.forEach(asleep, ({ session }) => sessions.start(session), { discard: true }),
            wishesOf(watches)
          )
        }
        return Effect.succeed(
          watches.flatMap(({ position, session }) => {
            const actor = sessions.find(session)
            return actor === undefined ? [] : [{ actor, position }]
          })
        )
      })

    const find = (token: string) =>
      Effect.suspend(() => {
        const connection = connections.get(token)
        return connection?.isOpen ? Effect.succeed(connection) : Effect.fail(new ConnectionNotFound({ token }))
      })

    const findMany = (token: string) =>
      Effect.filterOrFail(
        find(token),
        ({ form }) => form === "many",
        () => new InvalidRequest({ field: "token", allowed: "must be of a stream over several sessions" })
      )

    const watching = (connection: Connection) => connection.seams.map(({ actor }) => actor.session)

    return ConnectionRegistry.of({
      open: (socket, request) => {
        if (draining) return refuse(socket, "shutdown", shutdownSpread)
        if (connections.size >= options.maxConnections) return refuse(socket, "overload", overloadSpread)
        const token = randomUUID()
        const maxAge =
          options.maxAge === undefined
            ? Number.POSITIVE_INFINITY
            : Math.round(Duration.toMillis(options.maxAge) * (0.8 + 0.4 * chance(token)))
        const connection = new Connection(token, request.form, socket, house, maxAge)
        connections.set(token, connection)
        counted()
        const fiber = fork(
          ConnectionActor.run(connection, opening(connection, request), sessions, store, () => {
            connections.delete(token)
            counted()
          })
        )
        // The client left: the fiber's interruption is its normal end.
        socket.onClose = () => {
          connection.closed = true
          fiber.unsafeInterruptAsFork(FiberId.none)
        }
      },

      watch: (token, watches) =>
        Effect.gen(function* () {
          const connection = yield* findMany(token)
          const wishes = yield* wishesOf(watches)
          const known = new Set(watching(connection))
          const fresh = new Map(
            wishes.filter(({ actor }) => !known.has(actor.session)).map((wish) => [wish.actor.session, wish])
          )
          if (known.size + fresh.size > maxWatches) {
            return yield* new InvalidRequest({ field: "sessions", allowed: `must leave at most ${maxWatches} watched` })
          }
          if (!connection.isOpen) return yield* new ConnectionNotFound({ token })
          const opened = Array.from(fresh.values(), (wish) =>
            Opening.begin("many", wish, options.replayCap, connection)
          )
          connection.seams = [...connection.seams, ...opened.map(({ seam }) => seam)]
          connection.write(opened.map(({ text }) => text).join(""))
          connection.readSoon()
          return watching(connection)
        }),

      unwatch: (token, ids) =>
        Effect.map(findMany(token), (connection) => {
          const leaving = connection.seams.filter(({ actor }) => ids.includes(actor.session))
          for (const seam of leaving) seam.close()
          connection.seams = connection.seams.filter((seam) => !leaving.includes(seam))
          return watching(connection)
        }),

      size: () => connections.size,

      drain: Effect.suspend(() => {
        draining = true
        for (const connection of connections.values()) {
          const wait = 1000 + Math.floor(chance(connection.token) * shutdownSpread)
          connection.finish("shutdown", ControlFrame.bye({ reason: "shutdown", retry: wait }))
        }
        return FiberSet.awaitEmpty(fibers)
      })
    })
  })

export const layer = (
  options: Options = defaults
): Layer.Layer<ConnectionRegistry, never, SessionRegistry | EventStore> =>
  Layer.scoped(ConnectionRegistry, make(options))
