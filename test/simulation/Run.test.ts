import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Option, Queue, Random } from "effect"
import { Tokens } from "../../src/connection/Tokens.ts"
import { EventLoop } from "../../src/store/EventLoop.ts"
import { Simulation } from "../../src/testing/index.ts"

const seeds = Array.from({ length: 200 }, (_, index) => index)

/** What an effect gave, for each seed. */
const outcomes = <A>(effect: Effect.Effect<A>): ReadonlyArray<A> =>
  seeds.map((seed) => Exit.getOrElse(Option.getOrThrow(Simulation.run(seed, effect)), () => assert.fail("it failed")))

/** A counter that forgets to be atomic. */
const lostUpdate = Effect.gen(function* () {
  let count = 0
  const increment = Effect.gen(function* () {
    const before = count
    yield* Effect.yieldNow()
    count = before + 1
  })
  yield* Effect.all([increment, Effect.zipRight(Effect.yieldNow(), increment)], { concurrency: 2 })
  return count
})

describe("an effect that is run in a simulation", () => {
  it("meets its races in some seeds, and the same seed has the same outcome each time", () => {
    const first = outcomes(lostUpdate)
    assert.deepEqual(Array.from(new Set(first)).sort(), [1, 2])
    assert.deepEqual(outcomes(lostUpdate), first)
  })

  it("sleeps through a year at once, and its clock says so", () => {
    const year = Effect.zipRight(Effect.sleep("365 days"), Clock.currentTimeMillis)
    const exit = Simulation.run(1, year)
    assert.deepEqual(exit, Option.some(Exit.succeed(Simulation.began + 365 * 86_400_000)))
  })

  it("has no end where nothing can ever go on: that is told, and nobody waits for it", () => {
    assert.deepEqual(Simulation.run(1, Effect.never), Option.none())
    const knot = Effect.gen(function* () {
      const [one, other] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      yield* Effect.fork(Effect.zipRight(Deferred.await(one), Deferred.succeed(other, undefined)))
      yield* Effect.zipRight(Deferred.await(other), Deferred.succeed(one, undefined))
    })
    assert.deepEqual(Simulation.run(1, knot), Option.none())
  })

  it("ends as it would elsewhere: with its failure, its defect, and its finalizers run", () => {
    assert.deepEqual(Simulation.run(1, Effect.fail("no")), Option.some(Exit.fail("no")))
    assert.deepEqual(Simulation.run(1, Effect.die("broken")), Option.some(Exit.die("broken")))
    const heard: Array<string> = []
    const interrupted = Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        Effect.onInterrupt(Effect.never, () => Effect.sync(() => heard.push("interrupt")))
      )
      yield* Effect.sleep("1 second")
      yield* Fiber.interrupt(fiber)
    })
    assert.deepEqual(Simulation.run(1, interrupted), Option.some(Exit.void))
    assert.deepEqual(heard, ["interrupt"])
  })

  it("wakes at the time that it asked for, and those of one moment in any order", () => {
    const woken = Effect.gen(function* () {
      const order: Array<string> = []
      const wake = (name: string, millis: number) =>
        Effect.zipRight(
          Effect.sleep(millis),
          Effect.map(Clock.currentTimeMillis, (now) => order.push(`${name}${now - Simulation.began}`))
        )
      yield* Effect.all([wake("c", 20), wake("a", 10), wake("b", 10)], { concurrency: 3 })
      return order.join(" ")
    })
    assert.deepEqual(new Set(outcomes(woken)), new Set(["a10 b10 c20", "b10 a10 c20"]))
  })

  it("has its steps of the event loop in order, what is behind the present one before the next turn", () => {
    const steps = Effect.gen(function* () {
      const { immediate, microtask } = yield* EventLoop
      const order = yield* Queue.unbounded<string>()
      const say = (what: string) => () => void order.unsafeOffer(what)
      immediate(() => {
        say("turn")()
        microtask(say("behind turn"))
      })
      immediate(say("next turn"))
      microtask(say("behind"))
      microtask(say("behind that"))
      return (yield* Queue.takeN(order, 5)).toString()
    })
    const expected = ["behind", "behind that", "turn", "behind turn", "next turn"]
    for (const said of outcomes(steps)) assert.deepEqual(JSON.parse(said).values, expected)
  })

  it("has tokens and chance of its seed", () => {
    const drawn = Effect.gen(function* () {
      const tokens = yield* Tokens
      return [tokens.next(), tokens.next(), `${yield* Random.nextInt}`]
    })
    const [one, two] = [outcomes(drawn), outcomes(drawn)]
    assert.deepEqual(one, two)
    assert.equal(new Set(one.flat()).size, 3 * seeds.length)
    for (const [token] of one)
      assert.match(token ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})
