import { Deferred, Effect, FiberId, Option } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { type AppendError, KeyConflict } from "../domain/SessionError.ts"
import { EventStore } from "../store/EventStore.ts"
import type { Appended } from "./Append.ts"

interface Pending {
  readonly digest: string
  readonly answer: Deferred.Deferred<Appended, AppendError>
}

/**
 * Gives the same answer to the same idempotency key. A key in flight is held here, from before the store is asked until
 * after its commit, so that of 20 equal requests at once one is stored and the others wait for its answer.
 * Bounded by the requests in flight; the receipts themselves are the store's.
 */
export const make = Effect.gen(function* () {
  const store = yield* EventStore
  const inFlight = new Map<string, Pending>()

  const repeat = (session: SessionId, digest: string, former: string, answer: Effect.Effect<Appended, AppendError>) =>
    former === digest
      ? Effect.map(answer, (appended): Appended => ({ ...appended, repeated: true }))
      : Effect.fail(new KeyConflict({ session }))

  /** `append` is run at most once per key; interruption does not stop it, since its outcome must be known to the next one. */
  const once = (
    session: SessionId,
    epoch: Effect.Effect<string, AppendError>,
    receipt: { readonly key: string; readonly digest: string },
    append: Effect.Effect<Appended, AppendError>
  ): Effect.Effect<Appended, AppendError> =>
    Effect.suspend(() => {
      const id = `${session} ${receipt.key}`
      const pending = inFlight.get(id)
      if (pending) return repeat(session, receipt.digest, pending.digest, Deferred.await(pending.answer))
      const answer = Deferred.unsafeMake<Appended, AppendError>(FiberId.none)
      inFlight.set(id, { digest: receipt.digest, answer })
      const first = Effect.flatMap(
        store.receipt(session, receipt.key),
        Option.match({
          onNone: () => append,
          onSome: ({ digest, first, head, last }) =>
            repeat(
              session,
              receipt.digest,
              digest,
              Effect.map(epoch, (epoch): Appended => ({ epoch, first, last, head, repeated: true }))
            )
        })
      )
      return Effect.onExit(first, (exit) => {
        inFlight.delete(id)
        return Deferred.done(answer, exit)
      }).pipe(Effect.uninterruptible)
    })

  return { once } as const
})
