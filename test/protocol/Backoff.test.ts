import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Backoff from "../../src/protocol/Backoff.ts"

const backoff: Backoff.Backoff = { base: 1000, max: 30_000 }
const almostOne = 1 - Number.EPSILON / 2
const random = fc.double({ min: 0, max: almostOne, noNaN: true })

describe("Backoff (S110)", () => {
  it("doubles the longest wait with each failure up to the maximum", () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 100].map((failures) => Backoff.delay(backoff, failures, almostOne))
    assert.deepStrictEqual(longest, [999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999])
  })

  it("may wait not at all, so that the returns are spread over the whole span", () => {
    assert.strictEqual(Backoff.delay(backoff, 7, 0), 0)
    assert.strictEqual(Backoff.delay(backoff, 7, 0.5), 15_000)
  })

  it("adds its jitter to what the server asked for, so that nobody comes sooner and not all at once", () => {
    assert.strictEqual(Backoff.delay(backoff, 0, 0, 5000), 5000)
    assert.strictEqual(Backoff.delay(backoff, 0, 0.5, 5000), 5500)
    assert.strictEqual(Backoff.delay(backoff, 100, almostOne, 5000), 34_999)
  })

  it.prop(
    "is whole milliseconds between the floor and the floor plus the bound, after any number of failures",
    {
      base: fc.integer({ min: 1, max: 60_000 }),
      max: fc.integer({ min: 1, max: 3_600_000 }),
      failures: fc.oneof(fc.nat(40), fc.maxSafeNat()),
      random,
      floor: fc.nat(600_000)
    },
    ({ base, failures, floor, max, random }) => {
      const wait = Backoff.delay({ base, max }, failures, random, floor)
      assert.isTrue(Number.isSafeInteger(wait))
      assert.isAtLeast(wait, floor)
      assert.isBelow(wait, floor + Math.min(max, base * 2 ** failures))
    }
  )

  it("spreads 1,000 clients evenly over the bound", () => {
    const waits = Array.from({ length: 1000 }, (_, client) => Backoff.delay(backoff, 3, client / 1000, 2000))
    assert.strictEqual(new Set(waits).size, 1000)
    for (const from of [2000, 4000, 6000, 8000]) {
      assert.lengthOf(
        waits.filter((wait) => wait >= from && wait < from + 2000),
        250
      )
    }
  })
})
