import { Deferred, Effect, FiberId, Option } from "effect"

interface Pending<A, E> {
  readonly digest: string
  readonly answer: Deferred.Deferred<A, E>
}

/** What a request with a key asks for. */
export interface Request<A, E> {
  readonly key: string
  /** Of its content: the same key with another content is a conflict. */
  readonly digest: string
  readonly conflict: E
  /** What an earlier request with this key left in the store. */
  readonly former: Effect.Effect<Option.Option<{ readonly digest: string; readonly answer: Effect.Effect<A, E> }>, E>
  readonly first: Effect.Effect<A, E>
  /** How the answer is given to who asks again. */
  readonly again: (answer: A) => A
}

/**
 * Gives the same answer to the same key. A key in flight is held here, from before the store is asked until after its commit,
 * so that of 20 equal requests at once one is stored and the others wait for its answer. Bounded by the requests in flight.
 * Interruption does not stop one that has begun, since its outcome must be known to the next.
 */
export const make = <A, E>() => {
  const inFlight = new Map<string, Pending<A, E>>()

  const repeat = ({ again, conflict, digest }: Request<A, E>, former: string, answer: Effect.Effect<A, E>) =>
    former === digest ? Effect.map(answer, again) : Effect.fail(conflict)

  return (request: Request<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      const { digest, first, former, key } = request
      const pending = inFlight.get(key)
      if (pending) return repeat(request, pending.digest, Deferred.await(pending.answer))
      const answer = Deferred.unsafeMake<A, E>(FiberId.none)
      inFlight.set(key, { digest, answer })
      return Effect.flatMap(
        former,
        Option.match({ onNone: () => first, onSome: (stored) => repeat(request, stored.digest, stored.answer) })
      ).pipe(
        Effect.onExit((exit) => {
          inFlight.delete(key)
          return Deferred.done(answer, exit)
        }),
        Effect.uninterruptible
      )
    })
}
