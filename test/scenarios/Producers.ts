import * as assert from "node:assert/strict"
import { Deferred, Effect, Random } from "effect"
import * as Paths from "../../src/protocol/Paths.ts"
import * as Requests from "./Requests.ts"
import type { ServerProcess } from "./ServerProcess.ts"

/** An append that was acknowledged, and what was sent. */
export interface Stored extends Requests.Appended {
  readonly data: ReadonlyArray<string>
  readonly key: string | undefined
}

/** A moment in the life of an append: all of it has left the producer, or its answer has come. */
export type Moment = "sent" | "acknowledged"

/** Producers that append without a pause, through every end of the server, until `finish`. */
export interface Producers {
  readonly stored: ReadonlyArray<Stored>
  /** All data that may be in a log, acknowledged or not. */
  readonly sent: ReadonlySet<string>
  /** Requests that got no answer, by their kind. */
  readonly unanswered: { readonly keyed: number; readonly plain: number }
  /** Done at the very moment when so many more appends were sent or acknowledged. */
  readonly next: (count: number, moment: Moment) => Effect.Effect<void>
  readonly run: (producer: number) => Effect.Effect<void>
  readonly finish: Effect.Effect<void>
}

interface Append {
  readonly session: string
  readonly data: ReadonlyArray<string>
  readonly key: string | undefined
}

/** One event as such, several as a list. */
export const bodyOf = ({ data }: Pick<Append, "data">) =>
  data.length === 1 ? { data: data[0] } : { events: data.map((data) => ({ data })) }

export const keyOf = ({ key }: Pick<Append, "key">): Record<string, string> =>
  key === undefined ? {} : { [Paths.idempotencyKey]: key }

export const make = (server: ServerProcess, sessions: ReadonlyArray<string>): Producers => {
  const stored: Array<Stored> = []
  const sent = new Set<string>()
  const unanswered = { keyed: 0, plain: 0 }
  const awaited = new Map<Moment, { left: number; readonly done: Deferred.Deferred<void> }>()
  let isFinished = false

  const tell = (moment: Moment) => {
    const waiting = awaited.get(moment)
    if (waiting === undefined) return
    waiting.left -= 1
    if (waiting.left > 0) return
    awaited.delete(moment)
    Deferred.unsafeDone(waiting.done, Effect.void)
  }

  const choose = (producer: number, turn: number) =>
    Effect.gen(function* () {
      const session = yield* Effect.orDie(Random.choice(sessions))
      const size = (yield* Random.nextBoolean) ? 1 : yield* Random.nextIntBetween(2, 40)
      const data = yield* Effect.forEach(Array.from({ length: size }), (_, index) =>
        Effect.map(
          Random.nextIntBetween(0, 800),
          (filler) => `producer ${producer}, append ${turn}, event ${index}\n${"ä".repeat(filler)}`
        )
      )
      const append: Append = { session, data, key: (yield* Random.nextBoolean) ? `${producer}/${turn}` : undefined }
      return append
    })

  const attempt = (append: Append) =>
    Effect.zipRight(
      server.up,
      Requests.append(server, append.session, bodyOf(append), {
        headers: keyOf(append),
        onSent: () => tell("sent")
      })
    )

  /** Only an append with a key may be repeated: without one nobody knows whether it was stored. */
  const deliver = (append: Append) =>
    append.key === undefined
      ? Effect.tapError(attempt(append), () => Effect.sync(() => (unanswered.plain += 1)))
      : Effect.retry(
          Effect.tapError(attempt(append), () => Effect.sync(() => (unanswered.keyed += 1))),
          { while: () => true }
        )

  const turn = (producer: number, turn: number) =>
    Effect.gen(function* () {
      const append = yield* choose(producer, turn)
      for (const data of append.data) sent.add(data)
      const { status, text } = yield* deliver(append)
      assert.ok(status === 201 || (status === 200 && append.key !== undefined), `${status} ${text}`)
      stored.push({ ...Requests.decodeAppended(text), data: append.data, key: append.key })
      tell("acknowledged")
    }).pipe(Effect.catchTag("NoAnswer", () => Effect.void))

  return {
    stored,
    sent,
    unanswered,
    next: (count, moment) =>
      Effect.flatMap(Deferred.make<void>(), (done) => {
        awaited.set(moment, { left: count, done })
        return Deferred.await(done)
      }),
    run: (producer) =>
      Effect.iterate(1, {
        while: () => !isFinished,
        body: (count) => Effect.as(turn(producer, count), count + 1)
      }).pipe(Effect.asVoid),
    finish: Effect.sync(() => {
      isFinished = true
    })
  }
}
