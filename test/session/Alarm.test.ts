import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Clock, Effect, TestClock } from "effect"
import * as Alarm from "../../src/session/Alarm.ts"

/** When it rang, in seconds; `next` is what each ring asks for. */
const ringing = (next: (now: number) => number = () => Number.POSITIVE_INFINITY) =>
  Effect.gen(function* () {
    const rang: Array<number> = []
    const ring = Effect.map(Clock.currentTimeMillis, (now) => {
      rang.push(now / 1000)
      return next(now)
    })
    const alarm = yield* Alarm.make(ring)
    return { rang, in: (seconds: number) => alarm.set(seconds * 1000) }
  })

/** How many fibers sleep. */
const sleeping = Effect.map(TestClock.sleeps(), (sleeps) => Array.from(sleeps).length)

describe("an alarm", () => {
  it.scoped("rings at its time, once, and sleeps no more when nothing is due", () =>
    Effect.gen(function* () {
      const alarm = yield* ringing()
      assert.equal(yield* sleeping, 0)
      alarm.in(10)
      yield* TestClock.adjust("9999 millis")
      assert.deepEqual(alarm.rang, [])
      yield* TestClock.adjust("1 millis")
      assert.deepEqual([alarm.rang, yield* sleeping], [[10], 0])
      yield* TestClock.adjust("10 seconds")
      alarm.in(25)
      yield* TestClock.adjust("10 seconds")
      assert.deepEqual([alarm.rang, yield* sleeping], [[10, 25], 0])
    })
  )

  it.scoped("rings earlier when something earlier comes, and does not care for what comes later", () =>
    Effect.gen(function* () {
      const alarm = yield* ringing()
      for (const seconds of [20, 30, 5, 7]) alarm.in(seconds)
      yield* TestClock.adjust("1 minute")
      assert.deepEqual(alarm.rang, [5])
    })
  )

  it.scoped("rings at the next whole millisecond when its time lies between two", () =>
    Effect.gen(function* () {
      const alarm = yield* ringing()
      alarm.in(1.0003)
      yield* TestClock.adjust("1000 millis")
      assert.equal(yield* sleeping, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepEqual(alarm.rang, [1.001])
    })
  )

  it.scoped("rings again when it was asked to while it rang", () =>
    Effect.gen(function* () {
      const alarm = yield* ringing((now) => {
        if (now === 1000) alarm.in(3)
        return now === 3000 ? 4000 : Number.POSITIVE_INFINITY
      })
      alarm.in(1)
      yield* TestClock.adjust("1 minute")
      assert.deepEqual(alarm.rang, [1, 3, 4])
    })
  )

  it.scoped(
    "sleeps an hour at most, so that it is at most so late when the clock was set forward; it rings at its time",
    () =>
      Effect.gen(function* () {
        const alarm = yield* ringing()
        alarm.in(3 * 3600)
        yield* TestClock.adjust("30 minutes")
        assert.deepEqual(Array.from(yield* TestClock.sleeps()), [3_600_000])
        yield* TestClock.adjust("149 minutes")
        assert.deepEqual(alarm.rang, [])
        yield* TestClock.adjust("1 minutes")
        assert.deepEqual(alarm.rang, [3 * 3600])
      })
  )
})
