import { Effect, Option } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { type AppendError, KeyConflict } from "../domain/SessionError.ts"
import { EventStore } from "../store/EventStore.ts"
import type { Appended } from "./Append.ts"
import * as Once from "./Once.ts"

/** Gives the same answer to the same idempotency key of a session. The receipts are the store's. */
export const make = Effect.map(EventStore, (store) => {
  const run = Once.make<Appended, AppendError>()

  /** `append` is run at most once per key. */
  const once = (
    session: SessionId,
    epoch: Effect.Effect<string, AppendError>,
    { digest, key }: { readonly key: string; readonly digest: string },
    append: Effect.Effect<Appended, AppendError>
  ): Effect.Effect<Appended, AppendError> =>
    run({
      key: `${session} ${key}`,
      digest,
      conflict: new KeyConflict({ session }),
      // The epoch comes first: of a log that is deleted and made anew meanwhile, the receipt would be answered as of the new one.
      former: Effect.flatMap(epoch, (epoch) =>
        Effect.map(
          store.receipt(session, key),
          Option.map(({ digest, first, head, last }) => ({
            digest,
            answer: Effect.succeed<Appended>({ epoch, first, last, head, repeated: true })
          }))
        )
      ),
      first: append,
      again: (appended) => ({ ...appended, repeated: true })
    })

  return { once } as const
})
