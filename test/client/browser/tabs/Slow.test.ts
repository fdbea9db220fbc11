import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Sluice from "../../../http/Sluice.ts"
import * as Client from "../Client.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as Tab from "./Tab.ts"

const sessions = [{ session: "a", from: "start" }] as const

/** Items up to the event with this number. */
const take = (client: AsyncIterable<Client.Item>, last: number) =>
  Effect.promise(async () => {
    const items: Array<Client.Item> = []
    for await (const item of client) {
      items.push(item)
      if (item.type === "event" && item.seq === last) break
    }
    return items
  })

describe("a tab whose app takes nothing", () => {
  for (const [what, isFirst] of [
    ["hears", false],
    ["leads", true]
  ] as const) {
    it.scopedLive(`and that ${what} delays no other, holds a bounded part of the stream, and gets all later`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const browser = FakeBrowser.make()
        const first = isFirst ? undefined : yield* Tab.open(browser, sluice.url, { sessions })
        const slow = yield* Tab.openSlow(browser, sluice.url, { sessions })
        const quick = first ?? (yield* Tab.open(browser, sluice.url, { sessions }))
        yield* slow.until("live")
        yield* quick.until("live")
        // One request for each: many pieces of the stream.
        yield* sluice.add("a", { events: Sluice.numbered(1, 1000) })
        yield* Effect.forEach(Sluice.range(1001, 2300), (data) => sluice.add("a", { data }), { concurrency: 20 })
        yield* quick.has((items) => Client.dataOf(items, "a").length === 2300)
        const items = yield* take(slow.client, 2300)
        const seqs = Client.eventsOf(items, "a").map(({ seq }) => seq)
        assert.deepEqual(
          seqs,
          Array.from({ length: 2300 }, (_, index) => index + 1)
        )
        assert.equal(items.filter(({ type }) => type === "gap").length, 0)
        yield* sluice.add("a", { data: "last" })
        assert.deepEqual(Client.dataOf(yield* take(slow.client, 2301), "a"), ["last"])
        assert.equal(browser.asked.length, 1)
      })
    )
  }
})
