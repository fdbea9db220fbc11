import { Data, Deferred, Effect } from "effect"

/** So many messages wait for their answers already: this one was not taken, and none was pushed out for it. */
export class OutboxFull extends Data.TaggedError("OutboxFull")<{ readonly limit: number }> {}

/**
 * Effects one after the other, in the order in which they were begun; at most `limit` at a time wait or have their turn. (Of
 * a `Semaphore` a newcomer may take the permit that was just given back, before those who wait for it.) Who is interrupted
 * leaves the line, at whatever place of it.
 */
export const make = (limit: number) => {
  const line: Array<Deferred.Deferred<void>> = []
  const callFirst = Effect.suspend(() => {
    const [first] = line
    return first === undefined ? Effect.void : Deferred.succeed(first, undefined)
  })
  const join = Effect.gen(function* () {
    const turn = yield* Deferred.make<void>()
    if (line.length >= limit) return yield* new OutboxFull({ limit })
    line.push(turn)
    yield* callFirst
    return turn
  })
  const leave = (turn: Deferred.Deferred<void>) =>
    Effect.suspend(() => {
      line.splice(line.indexOf(turn), 1)
      return callFirst
    })
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | OutboxFull, R> =>
    Effect.acquireUseRelease(join, (turn) => Effect.zipRight(Deferred.await(turn), effect), leave)
}
