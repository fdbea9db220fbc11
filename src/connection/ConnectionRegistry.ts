import { Context, Duration, Effect, FiberId, FiberSet, Layer } from "effect"
import type { EndReason } from "../domain/Connection.ts"
import type { SessionId } from "../domain/Session.ts"
import { ConnectionNotFound, InvalidRequest, type StoreError } from "../domain/SessionError.ts"
import * as ControlFrame from "../protocol/ControlFrame.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import { EventLoop } from "../store/EventLoop.ts"
import * as Broadcast from "./Broadcast.ts"
import { Connection } from "./Connection.ts"
import * as ConnectionActor from "./ConnectionActor.ts"
import * as Deadlines from "./Deadlines.ts"
import type { Flushed, House } from "./House.ts"
import * as Opening from "./Opening.ts"
import * as Outgoing from "./Outgoing.ts"
import type { Form } from "../session/LogReader.ts"
import { Ownership } from "./Ownership.ts"
import { Preface } from "./Preface.ts"
import type { Terms } from "./Pulse.ts"
import type { StreamSocket } from "./StreamSocket.ts"
import { chance, Tokens } from "./Tokens.ts"
import * as Watching from "./Watching.ts"

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

export interface StreamRequest {
  readonly form: Form
  readonly watches: ReadonlyArray<Watching.WatchRequest>
  /** `Last-Event-ID` was no cursor: a browser cannot correct it, so it is told. */
  readonly isBadCursor: boolean
}

/** A stream that the backend accepted: it has control frames and session events only when it has watches. */
export interface AcceptedStream {
  readonly token: string
  readonly watches: ReadonlyArray<Watching.WatchRequest>
  /** It ends after this, with reason `expired`; `undefined` = never. */
  readonly lifetime: Duration.Duration | undefined
  readonly beatsAlways: boolean
  /**
   * Called in the step of the first write: what is said after hello, if any. Without control frames the retained events
   * come between `events` and `greeting`. From then on the connection takes sends.
   */
  readonly opened: (connection: Connection) => { readonly events: string; readonly greeting: string }
  /** Called once, also when it never opened because the client had left. */
  readonly ended: (reason: EndReason) => void
}

/** Opens, finds and ends the connections of this server. */
export class ConnectionRegistry extends Context.Tag("sluice/connection/ConnectionRegistry")<
  ConnectionRegistry,
  {
    /** Takes over the socket. Never fails: what is wrong is said on the stream, as `sluice.bye`. */
    readonly open: (socket: StreamSocket, request: StreamRequest) => void
    /** Opens the stream as soon as its sessions are awake. `begin` sends the head of the response and is called once. */
    readonly accept: (begin: () => StreamSocket, stream: AcceptedStream) => Effect.Effect<void, StoreError>
    /** A connection that is open now. */
    readonly find: (token: string) => Effect.Effect<Connection, ConnectionNotFound>
    /** Those that are open now. */
    readonly list: () => Array<Connection>
    /** Adds watches to a stream over several sessions, all or none. The ids that it watches then. */
    readonly watch: (
      token: string,
      watches: ReadonlyArray<Watching.WatchRequest>
    ) => Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound | InvalidRequest | StoreError>
    readonly unwatch: (
      token: string,
      sessions: ReadonlyArray<SessionId>
    ) => Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound | InvalidRequest>
    /**
     * From now on each new connection is told this before all else, in place of what `key` had; in the same step each open
     * one is. How many of those took it.
     */
    readonly retain: (key: string, encoded: Broadcast.Encoded) => number
    /** New connections are not told it any more. */
    readonly release: (key: string) => void
    /** The connection owns the session for writing from now on; the former owner is told (design §5). */
    readonly own: (token: string, session: SessionId) => Effect.Effect<void, ConnectionNotFound>
    /** The sessions that it owns. */
    readonly owned: (token: string) => Effect.Effect<ReadonlyArray<SessionId>, ConnectionNotFound>
    readonly size: () => number
    /** From now on streams end as they begin. Says `sluice.bye` to all open ones; done when all have ended. */
    readonly drain: Effect.Effect<void>
  }
>() {}

const nothing = (): void => {}

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const sessions = yield* SessionRegistry
    const clock = yield* Effect.clock
    const { microtask } = yield* EventLoop
    const tokens = yield* Tokens
    const deadlines = yield* Deadlines.make
    const connections = new Map<string, Connection>()
    const preface = new Preface()
    const ownership = new Ownership()
    const fibers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(fibers)<never>()
    let draining = false

    let dirty: Array<Flushed> = []
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
        if (dirty.length === 0) microtask(flushAll)
        dirty.push(connection)
      },
      schedule: deadlines.schedule
    }

    const refuse = (socket: StreamSocket, reason: "shutdown" | "overload", spread: number) => {
      const wait = 1000 + Math.floor(chance(tokens.next()) * spread)
      socket.writeText(ControlFrame.bye({ reason, retry: wait }))
      socket.end()
    }

    const opening = (connection: Connection, request: StreamRequest): Effect.Effect<void, StoreError> =>
      Effect.map(Watching.wishes(sessions, request.watches), (wishes) => begin(connection, wishes, request))

    /** Watches from now on, and tells the client so: hello, retained events, `events`, then what each session begins with. */
    const begin = (
      connection: Connection,
      wishes: ReadonlyArray<Opening.Wish>,
      { form, isBadCursor }: Pick<StreamRequest, "form" | "isBadCursor">,
      events = ""
    ): void => {
      const opened = wishes.map((wish) => Opening.begin(form, wish, options.replayCap, connection))
      const told = isBadCursor ? opened.map(Opening.reset) : opened
      connection.seams = opened.map(({ seam }) => seam)
      const greeting = { token: connection.token, heartbeat: Duration.toSeconds(options.heartbeat), retry }
      const problem = isBadCursor ? ({ problem: "bad_cursor" } as const) : {}
      const hello = Opening.hello(form, { ...greeting, ...problem }, told)
      const rest = events + told.map(({ text }) => text).join("")
      connection.begin(hello, preface.of(Broadcast.kindOf(connection)), rest)
      Opening.end(connection, opened)
    }

    const start = (
      connection: Connection,
      open: Effect.Effect<void, StoreError>,
      ended: (reason: EndReason) => void
    ): void => {
      const { socket, token } = connection
      connections.set(token, connection)
      const fiber = fork(
        ConnectionActor.run(connection, open, sessions, (reason) => {
          connections.delete(token)
          ownership.release(token)
          ended(reason)
        })
      )
      // The client left: the fiber's interruption is its normal end.
      socket.onClose = () => {
        connection.closed = true
        fiber.unsafeInterruptAsFork(FiberId.none)
      }
    }

    const find = (token: string) =>
      Effect.suspend(() => {
        const connection = connections.get(token)
        return connection?.isOpen ? Effect.succeed(connection) : Effect.fail(new ConnectionNotFound({ token }))
      })

    const findMany = (token: string) =>
      Effect.filterOrFail(
        find(token),
        ({ form, terms }) => form === "many" && terms.isControlled,
        () => new InvalidRequest({ field: "token", allowed: "must be of a stream over several sessions" })
      )

    return ConnectionRegistry.of({
      open: (socket, request) => {
        if (draining) return refuse(socket, "shutdown", shutdownSpread)
        if (connections.size >= options.maxConnections) return refuse(socket, "overload", overloadSpread)
        const token = tokens.next()
        const lifetime =
          options.maxAge === undefined
            ? Number.POSITIVE_INFINITY
            : Math.round(Duration.toMillis(options.maxAge) * (0.8 + 0.4 * chance(token)))
        const terms: Terms = { lifetime, endReason: "age", isControlled: true, beatsAlways: false }
        const connection = new Connection(token, request.form, socket, house, terms)
        start(connection, opening(connection, request), nothing)
      },

      accept: (beginResponse, stream) =>
        Effect.map(Watching.wishes(sessions, stream.watches), (wishes) => {
          const socket = beginResponse()
          if (socket.isGone()) return stream.ended("client_closed")
          if (draining) {
            socket.end()
            return stream.ended("shutdown")
          }
          const isControlled = stream.watches.length > 0
          const lifetime = stream.lifetime === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(stream.lifetime)
          const terms: Terms = { lifetime, endReason: "expired", isControlled, beatsAlways: stream.beatsAlways }
          const connection = new Connection(stream.token, "many", socket, house, terms)
          const opened = Effect.sync(() => {
            const { events, greeting } = stream.opened(connection)
            const form = { form: "many", isBadCursor: false } as const
            if (isControlled) begin(connection, wishes, form, events + greeting)
            else connection.begin(events, preface.of(Broadcast.kindOf(connection)), greeting)
          })
          start(connection, opened, stream.ended)
        }),

      find,

      list: () => Array.from(connections.values()).filter(({ isOpen }) => isOpen),

      watch: (token, watches) =>
        Effect.flatMap(findMany(token), (connection) =>
          Effect.flatMap(Watching.wishes(sessions, watches), (wishes) =>
            Watching.add(connection, wishes, options.replayCap)
          )
        ),

      unwatch: (token, ids) => Effect.map(findMany(token), (connection) => Watching.remove(connection, ids)),

      retain: (key, encoded) => {
        preface.set(key, encoded)
        let taken = 0
        // Those that have not begun are told when they do.
        for (const connection of connections.values()) {
          if (connection.hasBegun && Broadcast.send(connection, encoded)) taken += 1
        }
        return taken
      },

      release: (key) => preface.delete(key),

      own: (token, session) =>
        Effect.map(find(token), () => {
          const former = ownership.take(token, session)
          const connection = former === undefined ? undefined : connections.get(former)
          if (connection?.terms.isControlled) connection.write(ControlFrame.owner({ session, owner: false }))
        }),

      owned: (token) => Effect.map(find(token), () => ownership.of(token)),

      size: () => connections.size,

      drain: Effect.suspend(() => {
        draining = true
        for (const connection of connections.values()) {
          const wait = 1000 + Math.floor(chance(connection.token) * shutdownSpread)
          connection.dismiss("shutdown", wait)
        }
        return FiberSet.awaitEmpty(fibers)
      })
    })
  })

export const layer = (options: Options = defaults): Layer.Layer<ConnectionRegistry, never, SessionRegistry> =>
  Layer.scoped(ConnectionRegistry, make(options))
