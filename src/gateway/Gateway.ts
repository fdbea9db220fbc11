import { Context, type Effect } from "effect"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import type { GatewayUnavailable, TokenNotFound, WriteFailed } from "../domain/GatewayError.ts"
import type { InvalidRequest, Overloaded } from "../domain/SessionError.ts"
import type { SendRequest, Target } from "../domain/SendRequest.ts"

/** `buffered`: kept for a connection whose callback is running. `connections`: how many took a send to all. */
export interface Sent {
  readonly status: "ok" | "buffered"
  readonly connections?: number
}

/** A stream that is open now. `requestId` when the backend gave it one. */
export interface OpenConnection {
  readonly token: string
  readonly requestId: string | undefined
}

export type SendError = TokenNotFound | InvalidRequest | Overloaded | WriteFailed | GatewayUnavailable

/**
 * What a backend makes the gateway do (design §6, §7): the gateway of this process (`LocalGateway`), or another one over HTTP
 * (`HttpGateway`). Only the latter knows `GatewayUnavailable`.
 */
export class Gateway extends Context.Tag("sluice/gateway/Gateway")<
  Gateway,
  {
    /**
     * Event first, then close; to a connection in the order of the calls. Success of a close: the disconnect that it
     * causes is recorded, not yet delivered. `Overloaded`: nothing was taken, of the close neither.
     */
    readonly send: (send: SendRequest) => Effect.Effect<Sent, SendError>
    /** A send that only closes. */
    readonly close: (to: Target) => Effect.Effect<Sent, SendError>
    /** To every open stream, those of sessions too; stored nowhere. How many took it. */
    readonly broadcast: (
      event: BackendEvent,
      service?: string
    ) => Effect.Effect<number, InvalidRequest | GatewayUnavailable>
    /** All that are open, those of sessions too. What opens or ends meanwhile may be there or not. */
    readonly open: Effect.Effect<ReadonlyArray<OpenConnection>, GatewayUnavailable>
  }
>() {}
