import { Effect, Random } from "effect"

const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
const length = 10

/** A name for a new log: 52 bits of chance, so that no log of a session is taken for another. Never `0`, which is no log's. */
export const make: Effect.Effect<string> = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, alphabet.length), length),
  (indexes) => indexes.map((index) => alphabet[index]).join("")
)
