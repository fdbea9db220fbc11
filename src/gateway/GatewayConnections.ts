import { Context, Deferred, Effect, FiberId, FiberSet, Layer } from "effect"
import { DisconnectOutbox } from "../callback/DisconnectOutbox.ts"
import type { Connection } from "../connection/Connection.ts"
import { Tokens } from "../connection/Tokens.ts"
import type { DisconnectReason, EndReason } from "../domain/Connection.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { Arrival } from "./Arrival.ts"

/** An open stream that the backend accepted. */
export interface Opened {
  readonly request: string
  readonly requestId: string | undefined
  readonly connection: Connection
  /** Done when its disconnect is recorded. */
  readonly recorded: Deferred.Deferred<void>
}

/**
 * Every connection of the gateway, from before its callback leaves until its end: by token, and by the request id that the
 * backend gave it. At most one connection has a request id.
 */
export class GatewayConnections extends Context.Tag("sluice/gateway/GatewayConnections")<
  GatewayConnections,
  {
    /** A client that the backend is asked about from now on. */
    readonly arrive: (request: string) => Arrival
    /** It has a stream now, and the request id from whoever had it before: the new one is registered first. */
    readonly open: (
      arrival: Arrival,
      connection: Connection,
      requestId: string | undefined,
      replaces: boolean
    ) => Opened
    /** It never gets a stream, and the backend need not hear of it. */
    readonly forget: (arrival: Arrival) => void
    /** The backend hears of the end, the first one. */
    readonly end: (arrival: Arrival, reason: EndReason) => void
    /** What takes sends now. */
    readonly find: (token: string) => Arrival | Opened | undefined
    readonly findByRequestId: (requestId: string) => Opened | undefined
    /** Of the connection that has it now; one that was replaced and is still open has none. */
    readonly requestId: (token: string) => string | undefined
    /** Done when the disconnect of this open stream is recorded; at once for any other token. */
    readonly recorded: (token: string) => Effect.Effect<void>
    readonly all: () => ReadonlyArray<Arrival | Opened>
    readonly arriving: () => number
    /** Done when each end so far is recorded. */
    readonly settled: Effect.Effect<void>
  }
>() {}

/** Milliseconds after which a client comes back whose request id another one has taken. */
const retryReplaced = 2000

/** The reasons that streams under `/v1` have and those of the gateway have not. */
const told = (reason: EndReason): DisconnectReason =>
  reason === "age" || reason === "overload" || reason === "ended" ? "server_closed" : reason

export const make = Effect.gen(function* () {
  const outbox = yield* DisconnectOutbox
  const tokens = yield* Tokens
  const arrivals = new Map<string, Arrival>()
  const open = new Map<string, Opened>()
  const requestIds = new Map<string, Opened>()
  const fibers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(fibers)<never>()

  const isTaking = (opened: Opened | undefined): opened is Opened => opened?.connection.isOpen === true

  return GatewayConnections.of({
    arrive: (request) => {
      const arrival = new Arrival(tokens.next(), request)
      arrivals.set(arrival.token, arrival)
      return arrival
    },

    open: ({ request, token }, connection, requestId, replaces) => {
      const opened: Opened = { request, requestId, connection, recorded: Deferred.unsafeMake(FiberId.none) }
      arrivals.delete(token)
      open.set(token, opened)
      Metrics.gatewayConnects.unsafeUpdate(1, [])
      if (requestId !== undefined) {
        const former = requestIds.get(requestId)
        requestIds.set(requestId, opened)
        if (replaces) former?.connection.dismiss("replaced", retryReplaced)
      }
      return opened
    },

    forget: ({ token }) => {
      arrivals.delete(token)
    },

    end: ({ request, token }, reason) => {
      const opened = open.get(token)
      if (opened === undefined && !arrivals.has(token)) return
      arrivals.delete(token)
      open.delete(token)
      if (opened?.requestId !== undefined && requestIds.get(opened.requestId) === opened) {
        requestIds.delete(opened.requestId)
      }
      if (opened !== undefined) Metrics.gatewayDisconnects.unsafeUpdate(1, [])
      // Interrupted with the scope before it is recorded: the journal still has the connect, so the next start owes it.
      fork(
        Effect.zipRight(
          outbox.owe({ token, request, reason: told(reason) }),
          opened === undefined ? Effect.void : Deferred.succeed(opened.recorded, undefined)
        )
      )
    },

    find: (token) => {
      const opened = open.get(token)
      return isTaking(opened) ? opened : arrivals.get(token)
    },

    findByRequestId: (requestId) => {
      const opened = requestIds.get(requestId)
      return isTaking(opened) ? opened : undefined
    },

    requestId: (token) => {
      const opened = open.get(token)
      const isPresent = opened?.requestId !== undefined && requestIds.get(opened.requestId) === opened
      return isPresent ? opened.requestId : undefined
    },

    recorded: (token) => {
      const opened = open.get(token)
      return opened === undefined ? Effect.void : Deferred.await(opened.recorded)
    },

    all: () => [...arrivals.values(), ...Array.from(open.values()).filter(isTaking)],

    arriving: () => arrivals.size,

    settled: FiberSet.awaitEmpty(fibers)
  })
})

export const layer: Layer.Layer<GatewayConnections, never, DisconnectOutbox> = Layer.scoped(GatewayConnections, make)
