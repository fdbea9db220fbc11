import { Context, type Effect } from "effect"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import type { InvalidRequest, Overloaded } from "../domain/SessionError.ts"
import type { TokenNotFound, WriteFailed } from "../domain/GatewayError.ts"
import type { SendRequest } from "../domain/SendRequest.ts"

/** `buffered`: kept for a connection whose callback is running. `connections`: how many took a send to all. */
export interface Sent {
  readonly status: "ok" | "buffered"
  readonly connections?: number
}

export type SendError = TokenNotFound | InvalidRequest | Overloaded | WriteFailed

/** What a backend makes the gateway do. */
export class Gateway extends Context.Tag("sluice/gateway/Gateway")<
  Gateway,
  {
    /**
     * Event first, then close; to a connection in the order of the calls. Success of a close: the disconnect that it
     * causes is recorded, not yet delivered. `Overloaded`: nothing was taken, of the close neither.
     */
    readonly send: (send: SendRequest) => Effect.Effect<Sent, SendError>
    /** To every open stream, those of sessions too; stored nowhere. How many took it. */
    readonly broadcast: (event: BackendEvent, service?: string) => Effect.Effect<number, InvalidRequest>
  }
>() {}
