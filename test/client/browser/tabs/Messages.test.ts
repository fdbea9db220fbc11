import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "../../../http/Call.ts"
import * as Sluice from "../../../http/Sluice.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as Tab from "./Tab.ts"

describe("a message from any tab", () => {
  it.scopedLive("names the connection that all have, also the next one, and its echo comes to each", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const bodies: Array<string> = []
      const recording: typeof fetch = (input, init) => {
        if (typeof init?.body === "string") bodies.push(init.body)
        return fetch(input, init)
      }
      const browser = FakeBrowser.make({ fetch: recording })
      const tabs = [1, 2, 3].map(() => Tab.open(browser, sluice.url, { sessions: ["a"] }))
      const open = yield* Effect.all(tabs)
      for (const { until } of open) yield* until("live")
      const named = new Set<string>()
      for (const round of [1, 2]) {
        const { connections } = Call.json(yield* sluice.call("/v1/connections"))
        assert.ok(Array.isArray(connections) && connections.length === 1)
        const { token } = connections[0]
        for (const { client } of open) {
          const sent = yield* Effect.promise(() => client.send(`${round}`))
          assert.equal(sent.type, "accepted")
          assert.equal(JSON.parse(bodies.at(-1) ?? "{}").token, token)
        }
        for (const { has } of open) {
          yield* has((items) => items.filter(({ type }) => type === "event").length === 3 * round)
        }
        named.add(token)
        yield* sluice.call(`/v1/connections/${token}`, { method: "DELETE" })
        for (const { has } of open) yield* has(Tab.lives(round + 1))
      }
      assert.equal(named.size, 2)
      assert.equal(bodies.length, 6)
      assert.equal(browser.most(), 1)
    })
  )
})
