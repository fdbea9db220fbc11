import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Sluice from "../../../http/Sluice.ts"
import * as Client from "../Client.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as Tab from "./Tab.ts"

const seven = [1, 2, 3, 4, 5, 6, 7]

describe("the tabs of a browser (S122)", () => {
  it.scopedLive("have one stream, and each gets each event once and in order", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 3)
      const browser = FakeBrowser.make()
      const sessions = [{ session: "a", from: "start" }] as const
      const tabs = yield* Effect.forEach(seven, () => Tab.open(browser, sluice.url, { sessions }))
      for (const { until } of tabs) yield* until("live")
      yield* sluice.add("a", { events: Sluice.numbered(4, 3) })
      for (const { has } of tabs) {
        const items = yield* has(Tab.has("a", "6"))
        assert.deepEqual(Client.dataOf(items, "a"), Sluice.range(1, 6))
        assert.equal(items.filter(({ type }) => type === "gap").length, 0)
      }
      assert.deepEqual([browser.most(), browser.asked.length], [1, 1])
    })
  )

  for (const [what, go] of [
    ["closes", "close"],
    ["crashes", "crash"],
    ["goes into the bfcache", "hide"]
  ] as const) {
    it.scopedLive(`go on where they are, without loss or repeats, when the one that leads ${what}`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        yield* sluice.fill("a", 3)
        const browser = FakeBrowser.make()
        const sessions = [{ session: "a", from: "start" }] as const
        const tabs = yield* Effect.forEach(seven, () => Tab.open(browser, sluice.url, { sessions }))
        for (const { until } of tabs) yield* until("live")
        for (let next = 0; next < 6; next++) {
          // In the order of their coming, which is that of the lock.
          const led = next
          tabs[led]?.[go]()
          yield* sluice.add("a", { data: `${next + 4}` })
          const rest = tabs.slice(led + 1)
          for (const { has } of rest) {
            const items = yield* has(Tab.has("a", `${next + 4}`))
            assert.deepEqual(Client.dataOf(items, "a"), Sluice.range(1, next + 4))
            assert.equal(items.filter(({ type }) => type === "gap").length, 0)
          }
          assert.equal(browser.open(), 1)
          assert.equal(browser.asked.length, next + 2)
        }
        assert.equal(browser.most(), 1)
        if (go !== "hide") return
        for (const { show } of tabs) show()
        for (const { has } of tabs) {
          assert.deepEqual(Client.dataOf(yield* has(Tab.has("a", "9")), "a"), Sluice.range(1, 9))
        }
        assert.equal(browser.most(), 1)
      })
    )
  }
})
