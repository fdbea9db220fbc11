import { Effect } from "effect"
import { type CallbackError, Callbacks, type MessageCall } from "./Callbacks.ts"
import * as DisconnectDelivery from "./DisconnectDelivery.ts"

/** Tells the backend of one message until it has heard, for an hour, as of a disconnect (design §5). */
export const make: Effect.Effect<(call: MessageCall) => Effect.Effect<void, CallbackError>, never, Callbacks> =
  Effect.map(
    Callbacks,
    (callbacks) => (call) =>
      Effect.retry(
        Effect.tapError(callbacks.message(call), (error) =>
          Effect.annotateLogs(Effect.logWarning(`the backend has not heard of message ${call.id}`, error), {
            session: call.session
          })
        ),
        DisconnectDelivery.patience
      )
  )
