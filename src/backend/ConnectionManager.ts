/**
 * Who is connected, for the application behind the gateway (design §7): request id ↔ token, at most one connection each.
 * Nobody who sends waits for a connection: each has its queue and, while something waits in it, a fiber that sends one
 * after the other. A connection that could not be told something is closed: its client returns and is told what holds then, so
 * that nothing is lost in silence.
 */
import { Context, Deferred, Effect, FiberId, FiberMap, Layer, Option, type Scope } from "effect"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import type { GatewayUnavailable } from "../domain/GatewayError.ts"
import { Overloaded } from "../domain/SessionError.ts"
import { Gateway, type OpenConnection, type SendError } from "../gateway/Gateway.ts"
import * as Delivery from "./Delivery.ts"
import * as Observers from "./Observers.ts"
import { type Identity, Outbound } from "./Outbound.ts"

export type Options = Delivery.Options

export const defaults: Options = Delivery.defaults

/** A connection as services know it: by its request id, never by its token (S163). */
export interface BackendConnection extends Omit<Identity, "token"> {
  /**
   * Sends to this connection and no later one of its request id, after what was offered before. Does not wait. False: it is
   * gone, or could not keep up and is closed.
   */
  readonly offer: (event: BackendEvent, service?: string) => boolean
}

export class ConnectionManager extends Context.Tag("sluice/backend/ConnectionManager")<
  ConnectionManager,
  {
    /**
     * Registers it in place of whoever had its request id before, who is closed without waiting for that; then the observers
     * hear of it, of which nothing is awaited. One that has ended already, or is registered, is ignored.
     */
    readonly connected: (identity: Identity) => Effect.Effect<void>
    /** Forgets the connection. False: no request id has this token now, and nothing changed. */
    readonly disconnected: (token: string) => Effect.Effect<boolean>
    readonly find: (requestId: string) => BackendConnection | undefined
    readonly all: () => ReadonlyArray<BackendConnection>
    /** True when the gateway has taken it, false when nobody has this request id. */
    readonly send: (requestId: string, event: BackendEvent, service?: string) => Effect.Effect<boolean, SendError>
    /** Offers it to every connection of this moment, and says to how many; 0 is no error. */
    readonly broadcast: (event: BackendEvent, service?: string) => Effect.Effect<number>
    /**
     * Calls `hear` for each connect from now on, until the scope closes: in the order of registration, each after the former
     * ended, failed or took 5 seconds. Interrupted when the connection ends. `name` is for the log.
     */
    readonly observe: (
      name: string,
      hear: (connection: BackendConnection) => Effect.Effect<void, unknown>
    ) => Effect.Effect<void, never, Scope.Scope>
    /** Learns from the gateway what is open, after a restart of this process; observers hear of each. How many it learnt. */
    readonly relearn: Effect.Effect<number, GatewayUnavailable>
    /** Done when all that was offered so far is sent or given up. */
    readonly settled: Effect.Effect<void>
  }
>() {}

/** Tokens of those that ended last: for a connect that comes after its disconnect, and a list that is older than an end. */
const maxGone = 1024

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const observers = Observers.make<BackendConnection>()
    const notices = yield* FiberMap.make<string, void>()
    const byRequestId = new Map<string, Outbound>()
    const byToken = new Map<string, Outbound>()
    const gone = new Set<string>()

    const isOver = (token: string): void => {
      gone.add(token)
      const [oldest] = gone
      if (gone.size > maxGone && oldest !== undefined) gone.delete(oldest)
    }

    /** Out of both maps; a newer connection of its request id stays. */
    const forget = (outbound: Outbound): void => {
      const { requestId, token } = outbound.identity
      isOver(token)
      byToken.delete(token)
      if (byRequestId.get(requestId) !== outbound) return
      byRequestId.delete(requestId)
      Option.map(FiberMap.unsafeGet(notices, requestId), (notice) => notice.unsafeInterruptAsFork(FiberId.none))
    }

    const delivery = yield* Delivery.make(options, forget)
    const { drop, giveUp, push, replaced } = delivery
    // Whoever waits for a send hears that there is nobody to send to.
    yield* Effect.addFinalizer(() => Effect.sync(() => Array.from(byToken.values()).forEach(drop)))

    const view = (outbound: Outbound): BackendConnection => {
      const { requestId, subject, url } = outbound.identity
      return {
        requestId,
        subject,
        url,
        offer: (event, service) => push(outbound, { event, service, outcome: undefined })
      }
    }

    const register = (identity: Identity): Effect.Effect<void> =>
      Effect.suspend(() => {
        const outbound = new Outbound(identity)
        const former = byRequestId.get(identity.requestId)
        byRequestId.set(identity.requestId, outbound)
        byToken.set(identity.token, outbound)
        if (former !== undefined) replaced(former)
        return Effect.asVoid(FiberMap.run(notices, identity.requestId, observers.notify(view(outbound))))
      })

    const isKnown = (token: string): boolean => byToken.has(token) || gone.has(token)

    /** One whose request id has another connection by now was replaced while this process was away. */
    const learn = ({ requestId, token }: OpenConnection): Effect.Effect<number> =>
      Effect.suspend(() => {
        if (requestId === undefined || isKnown(token)) return Effect.succeed(0)
        const identity = { requestId, token, url: undefined, subject: undefined }
        if (!byRequestId.has(requestId)) return Effect.as(register(identity), 1)
        giveUp(new Outbound(identity), "replaced")
        return Effect.succeed(0)
      })

    return ConnectionManager.of({
      connected: (identity) => Effect.suspend(() => (isKnown(identity.token) ? Effect.void : register(identity))),

      disconnected: (token) =>
        Effect.sync(() => {
          const outbound = byToken.get(token)
          if (outbound === undefined) isOver(token)
          else drop(outbound)
          return outbound !== undefined
        }),

      find: (requestId) => {
        const outbound = byRequestId.get(requestId)
        return outbound === undefined ? undefined : view(outbound)
      },

      all: () => Array.from(byRequestId.values(), view),

      send: (requestId, event, service) =>
        Effect.flatMap(Deferred.make<boolean, SendError>(), (outcome) => {
          const outbound = byRequestId.get(requestId)
          if (outbound === undefined) return Effect.succeed(false)
          return push(outbound, { event, service, outcome })
            ? Deferred.await(outcome)
            : Effect.fail(new Overloaded({ what: "connection queue" }))
        }),

      broadcast: (event, service) =>
        Effect.sync(
          () =>
            Array.from(byRequestId.values()).filter((outbound) =>
              push(outbound, { event, service, outcome: undefined })
            ).length
        ),

      observe: observers.observe,

      relearn: Effect.flatMap(gateway.open, (open) =>
        Effect.map(Effect.forEach(open, learn), (learnt) => learnt.reduce((sum, one) => sum + one, 0))
      ),

      settled: delivery.settled
    })
  })

export const layer = (options?: Options): Layer.Layer<ConnectionManager, never, Gateway> =>
  Layer.scoped(ConnectionManager, make(options))
