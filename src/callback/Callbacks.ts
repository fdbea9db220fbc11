import { Context, Data, Effect, Layer } from "effect"
import type { DisconnectReason } from "../domain/Connection.ts"
import type * as ConnectAnswer from "../domain/ConnectAnswer.ts"

/** A connect as the backend is told of it. `request` is JSON text, `{ url, headers }`: the same in connect and disconnect. */
export interface ConnectCall {
  readonly token: string
  readonly request: string
}

export interface DisconnectCall extends ConnectCall {
  readonly reason: DisconnectReason
}

/** A message to a session. `data` is JSON text; `token` that of the connection that the sender named. */
export interface MessageCall {
  readonly session: string
  readonly id: string
  readonly data: string
  readonly token: string | null
}

/** The backend answered with a status that is neither 2xx nor 3xx: it said no. `reason` is its reason phrase, perhaps empty. */
export class BackendRefused extends Data.TaggedError("BackendRefused")<{
  readonly status: number
  readonly reason: string
}> {}

/** The backend answered 3xx: not followed, since a login page must not authorise a stream. It counts as a no. */
export class BackendRedirected extends Data.TaggedError("BackendRedirected")<{ readonly status: number }> {}

/** No whole answer within the time limit. The backend may have said yes. */
export class BackendTimeout extends Data.TaggedError("BackendTimeout") {}

/**
 * The call failed. `mayHaveAccepted` is false when it never reached the backend (refused port, no DNS entry).
 * `problem` is one readable line for the log.
 */
export class BackendUnavailable extends Data.TaggedError("BackendUnavailable")<{
  readonly mayHaveAccepted: boolean
  readonly problem: string
}> {}

export type CallbackError = BackendRefused | BackendRedirected | BackendTimeout | BackendUnavailable

/**
 * What we ask and tell the backend (design §6). Each call is one HTTP request, never repeated here; it is cut off at the
 * time limit, headers and body together, and aborted when its fiber is interrupted.
 */
export class Callbacks extends Context.Tag("sluice/callback/Callbacks")<
  Callbacks,
  {
    readonly connect: (call: ConnectCall) => Effect.Effect<ConnectAnswer.ConnectAnswer, CallbackError>
    /** Success: the backend answered 2xx. */
    readonly disconnect: (call: DisconnectCall) => Effect.Effect<void, CallbackError>
    /** As `disconnect`. */
    readonly message: (call: MessageCall) => Effect.Effect<void, CallbackError>
  }
>() {}

/** No backend to call: what an earlier configuration owes waits until there is one, or is given up. */
export const unconfigured: Layer.Layer<Callbacks> = Layer.sync(Callbacks, () => {
  const unavailable = Effect.fail(
    new BackendUnavailable({ mayHaveAccepted: false, problem: "CALLBACK_URL is not set" })
  )
  return Callbacks.of({ connect: () => unavailable, disconnect: () => unavailable, message: () => unavailable })
})
