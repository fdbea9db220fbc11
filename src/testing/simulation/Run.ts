import { type Effect, type Exit, Option } from "effect"
import { Chance } from "./Chance.ts"
import { SeededScheduler } from "./SeededScheduler.ts"

/** Time of every simulation at its begin: 2026-01-01T00:00:00Z, in epoch milliseconds. */
export const began = Date.UTC(2026, 0, 1)

/**
 * Runs an effect of your own to its end, in no time: one seed, one order of all that happens in it. `None`: nothing in it can
 * ever go on, and it has no end. What it waits for must come by Effect's clock, by `EventLoop`, or from another fiber of it:
 * a promise or a timer of Node's is none of that.
 *
 * @example
 * import { Simulation } from "sluice/testing"
 * for (let seed = 0; seed < 1000; seed++) {
 *   const exit = Simulation.run(seed, Effect.provide(raceOfTwoWriters, yourLayer))
 *   assert.deepEqual(exit, Option.some(Exit.void), `seed ${seed}`)
 * }
 */
export const run = <A, E>(seed: number, effect: Effect.Effect<A, E>): Option.Option<Exit.Exit<A, E>> => {
  const scheduler = new SeededScheduler(new Chance(seed), began)
  const fiber = scheduler.fork(effect)
  scheduler.run(() => fiber.unsafePoll() !== null)
  scheduler.kill()
  return Option.fromNullable(fiber.unsafePoll())
}
