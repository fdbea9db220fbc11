import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as History from "../../src/client/core/History.ts"
import type { Gap } from "../../src/client/core/Reader.ts"

const event = (seq: number) => ({ seq, name: "message", data: String(seq) })

/** Pages of at most `limit` events of a log that holds `oldest` to `head`. */
const pageOf =
  (epoch: string, oldest: number, head: number, limit: number) =>
  (gap: Gap): History.Page => {
    const first = Math.max(gap.after + 1, oldest)
    const last = Math.min(gap.next - 1, head, first + limit - 1)
    return { epoch, events: Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => event(first + index)) }
  }

const fill = (gap: Gap, page: (gap: Gap) => History.Page) => {
  const seen: Array<readonly [number, number, "event" | "lost"]> = []
  for (let left: Gap | undefined = gap; left !== undefined; ) {
    const { events, lost, rest }: History.Turn = History.turn(left, page(left))
    if (lost !== undefined) seen.push([lost.after + 1, lost.next - 1, "lost"])
    for (const { seq } of events) seen.push([seq, seq, "event"])
    left = rest
  }
  return seen
}

describe("History", () => {
  it.prop(
    "accounts for all of a gap in order, as events or as lost, whatever the log still has",
    [fc.nat(30), fc.nat(60), fc.nat(60), fc.nat(60), fc.integer({ min: 1, max: 9 })],
    ([after, size, oldest, head, limit]) => {
      const next = after + size + 2
      const gap: Gap = { epoch: "e", after, next, missed: next - 1 - after, reason: "cap" }
      let at = after
      for (const [from, to, what] of fill(gap, pageOf("e", oldest, head, limit))) {
        assert.strictEqual(from, at + 1)
        assert.isAtLeast(to, from)
        if (what === "event") assert.isTrue(from >= oldest && from <= head)
        at = to
      }
      assert.strictEqual(at, next - 1)
    }
  )

  it("takes no event of another log", () => {
    const gap: Gap = { epoch: "e", after: 0, next: 4, missed: 3, reason: "cap" }
    assert.deepStrictEqual(fill(gap, pageOf("f", 1, 9, 100)), [[1, 3, "lost"]])
  })

  it("asks nothing for a gap without a number between", () => {
    assert.isTrue(History.isEmpty({ epoch: "e", after: 5, next: 6, missed: null, reason: "ahead" }))
  })
})
