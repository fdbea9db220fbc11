import { Data, Effect } from "effect"
import { Callbacks, type MessageCall } from "./Callbacks.ts"
import * as DisconnectDelivery from "./DisconnectDelivery.ts"

/** The backend was told for an hour, and did not hear. */
class MessageNotDelivered extends Data.TaggedError("MessageNotDelivered")<{ readonly message: string }> {}

/** Tells the backend of one message until it has heard, for an hour, as of a disconnect (design §5). */
export const make: Effect.Effect<(call: MessageCall) => Effect.Effect<void, MessageNotDelivered>, never, Callbacks> =
  Effect.map(Callbacks, (callbacks) => (call) => {
    const { id, session } = call
    const attempt = Effect.mapError(
      callbacks.message(call),
      (error) => new MessageNotDelivered({ message: DisconnectDelivery.answered(error) })
    )
    const told = Effect.tapError(attempt, ({ message }) =>
      Effect.annotateLogs(Effect.logWarning(`the backend has not heard of message ${id}: ${message}`), { session })
    )
    return Effect.retry(told, DisconnectDelivery.patience)
  })
