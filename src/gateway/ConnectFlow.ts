/**
 * Callback first, headers after (design §6). One supervised fiber per connect, from its arrival until its stream is open or
 * refused: the connect is journaled before the callback leaves, so that an end that the backend must hear of is never lost.
 */
import { Cause, Context, Effect, Either, Exit, FiberSet, Layer } from "effect"
import { type CallbackError, Callbacks } from "../callback/Callbacks.ts"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import type { StreamSocket } from "../connection/StreamSocket.ts"
import type { ConnectAnswer } from "../domain/ConnectAnswer.ts"
import { GatewayNotConfigured, ShuttingDown } from "../domain/GatewayError.ts"
import { Overloaded, type StoreError } from "../domain/SessionError.ts"
import { JournalWriter } from "../store/JournalWriter.ts"
import type { Arrival } from "./Arrival.ts"
import { GatewayConnections } from "./GatewayConnections.ts"
import type { Profile } from "./Profile.ts"

export type ConnectError = CallbackError | GatewayNotConfigured | Overloaded | ShuttingDown | StoreError

/** A client that waits for the backend's word. Nothing was written to it; `accept` or `refuse` is called once. */
export interface Visitor {
  readonly accept: () => StreamSocket
  readonly refuse: (error: ConnectError) => void
  /** A defect: whatever was not said yet cannot be said. */
  readonly fail: () => void
  /** Set by the flow. Called when the client leaves while it waits. */
  onLeave: () => void
}

export interface Options {
  readonly profile: Profile
  /** There is a backend to ask. */
  readonly isConfigured: boolean
  /** Open streams and those that wait for the backend, together. */
  readonly maxConnections: number
}

export class ConnectFlow extends Context.Tag("sluice/gateway/ConnectFlow")<
  ConnectFlow,
  {
    /** `request` is JSON text of `{ url, headers }`. Never fails: what is wrong is told to the visitor. */
    readonly connect: (visitor: Visitor, request: string) => void
    /** From now on connects are refused. Done when each one before is decided. */
    readonly drain: Effect.Effect<void>
  }
>() {}

/** True when the backend said no, or was never reached: it owes nothing, and is owed nothing. */
const isNo = (error: CallbackError): boolean =>
  error._tag === "BackendRefused" ||
  error._tag === "BackendRedirected" ||
  (error._tag === "BackendUnavailable" && !error.mayHaveAccepted)

const nothing = (): void => {}

export const make = ({ isConfigured, maxConnections, profile }: Options) =>
  Effect.gen(function* () {
    const callbacks = yield* Callbacks
    const connections = yield* ConnectionRegistry
    const gateway = yield* GatewayConnections
    const journal = yield* JournalWriter
    const fibers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(fibers)<never>()
    let draining = false

    /** The token is known no more; a journal that cannot forget it now owes the backend a disconnect at the next start. */
    const forget = (arrival: Arrival) =>
      Effect.suspend(() => {
        gateway.forget(arrival)
        return Effect.catchAll(journal.record({ _tag: "Forget", token: arrival.token }), (error) =>
          Effect.logWarning("a connect that needs no disconnect could not be forgotten", error)
        )
      })

    const reject = (visitor: Visitor, text: string) => {
      const socket = visitor.accept()
      socket.writeText(text)
      socket.end()
    }

    const refused = (visitor: Visitor, arrival: Arrival, error: CallbackError) =>
      Effect.suspend(() => {
        const told = error._tag === "BackendRefused" && !arrival.hasLeft ? profile.rejection(error) : undefined
        if (told === undefined) visitor.refuse(error)
        else reject(visitor, told)
        if (isNo(error) || !profile.owesUnopened) return forget(arrival)
        return Effect.sync(() => gateway.end(arrival, "error"))
      })

    /** The backend said yes, and there will be no stream. */
    const unopened = (arrival: Arrival, reason: "client_closed" | "shutdown") =>
      Effect.suspend(() => (profile.owesUnopened ? Effect.sync(() => gateway.end(arrival, reason)) : forget(arrival)))

    const said = (arrival: Arrival, answer: ConnectAnswer) => {
      const events = answer.events.map((event) => Either.getOrElse(profile.frame(event), () => "")).join("")
      return { events: arrival.kept + events, greeting: arrival.isClosing ? "" : profile.greeting }
    }

    const accepted = (visitor: Visitor, arrival: Arrival, answer: ConnectAnswer): Effect.Effect<void> => {
      if (arrival.hasLeft) return unopened(arrival, "client_closed")
      if (draining) {
        visitor.refuse(new ShuttingDown())
        return unopened(arrival, "shutdown")
      }
      const opening = connections.accept(() => visitor.accept(), {
        token: arrival.token,
        watches: answer.watch,
        lifetime: answer.expiresIn,
        beatsAlways: profile.beatsAlways,
        opened: (connection) => {
          gateway.open(arrival, connection, answer.requestId, profile.replaces)
          return said(arrival, answer)
        },
        ended: (reason) => gateway.end(arrival, reason)
      })
      return Effect.matchEffect(opening, {
        onFailure: (error) =>
          Effect.sync(() => {
            visitor.refuse(error)
            gateway.end(arrival, "error")
          }),
        onSuccess: () =>
          Effect.sync(() => {
            const entry = arrival.isClosing ? gateway.find(arrival.token) : undefined
            if (entry !== undefined && "connection" in entry) entry.connection.dismiss("server_closed", 2000)
          })
      })
    }

    const flow = (visitor: Visitor, arrival: Arrival): Effect.Effect<void> =>
      Effect.matchEffect(journal.record({ _tag: "Connect", token: arrival.token, request: arrival.request }), {
        onFailure: (error) =>
          Effect.sync(() => {
            gateway.forget(arrival)
            visitor.refuse(error)
          }),
        onSuccess: () =>
          Effect.matchEffect(callbacks.connect(arrival), {
            onFailure: (error) => refused(visitor, arrival, error),
            onSuccess: (answer) => accepted(visitor, arrival, answer)
          })
      })

    /**
     * Interrupted with the scope, in the middle of the callback: the journal has the connect, and the next start tells the
     * backend. A defect ends this connect alone.
     */
    const supervised = (visitor: Visitor, arrival: Arrival) =>
      Effect.onExit(flow(visitor, arrival), (exit) => {
        visitor.onLeave = nothing
        if (Exit.isSuccess(exit)) return Effect.void
        if (Cause.isInterruptedOnly(exit.cause)) return Effect.sync(() => visitor.refuse(new ShuttingDown()))
        gateway.end(arrival, "error")
        visitor.fail()
        return Effect.logError("a connect died", exit.cause)
      })

    return ConnectFlow.of({
      connect: (visitor, request) => {
        if (!isConfigured) return visitor.refuse(new GatewayNotConfigured())
        if (draining) return visitor.refuse(new ShuttingDown())
        if (connections.size() + gateway.arriving() >= maxConnections) {
          return visitor.refuse(new Overloaded({ what: "gateway" }))
        }
        const arrival = gateway.arrive(request)
        visitor.onLeave = () => {
          arrival.hasLeft = true
        }
        fork(supervised(visitor, arrival))
      },

      drain: Effect.suspend(() => {
        draining = true
        return FiberSet.awaitEmpty(fibers)
      })
    })
  })

export const layer = (
  options: Options
): Layer.Layer<ConnectFlow, never, Callbacks | ConnectionRegistry | GatewayConnections | JournalWriter> =>
  Layer.scoped(ConnectFlow, make(options))
