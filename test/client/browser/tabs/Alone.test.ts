import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SharedConnection from "../../../../src/client/browser/tabs/SharedConnection.ts"
import { RequestFailed } from "../../../../src/client/browser/RequestFailed.ts"
import * as Sluice from "../../../http/Sluice.ts"
import * as Client from "../Client.ts"
import * as ScriptedFetch from "../ScriptedFetch.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as Scripted from "./Scripted.ts"
import * as Tab from "./Tab.ts"

describe("a tab has a connection of its own", () => {
  it.scopedLive("where there are no locks, as in Node", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const browser = FakeBrowser.make()
      for (const connection of [SharedConnection.make(undefined), SharedConnection.sharedConnection]) {
        const tabs = [1, 2].map(() => Tab.open(browser, sluice.url, { sessions: ["a"], connection }))
        for (const { until } of yield* Effect.all(tabs)) yield* until("live")
      }
      assert.equal(browser.open(), 4)
    })
  )

  for (const [what, broken] of [
    ["locks", { lock: () => Promise.reject(new Error("SecurityError")) }],
    [
      "channels",
      {
        channel: () => {
          throw new Error("SecurityError")
        }
      }
    ],
    ["digests", { digest: () => Promise.reject(new Error("NotSupportedError")) }]
  ] as const) {
    it.scopedLive(`where the page is refused ${what}`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const browser = FakeBrowser.make()
        const { tabs } = browser.tab({ now: () => 0, random: () => 0, after: () => () => {} })
        const connection = SharedConnection.make({ ...tabs, ...broken })
        const { until } = yield* Tab.open(browser, sluice.url, { sessions: ["a"], connection })
        yield* until("live")
        assert.deepEqual(browser.left(), { locks: 0, channels: 0, streams: 1 })
      })
    )
  }

  it.scoped("with more sessions than one stream takes, and the others share on", () =>
    Effect.gen(function* () {
      const { browser, timers } = Scripted.make()
      for (const sessions of [Sluice.range(1, 60), Sluice.range(61, 120), ["60", ...Sluice.range(121, 160)], ["9"]]) {
        yield* Tab.open(browser, Scripted.url, { sessions, timers })
        yield* ScriptedFetch.settled
        timers.advance(50)
        yield* ScriptedFetch.settled
      }
      assert.deepEqual(
        browser.asked.map((url) => Tab.sessionsOf(url).length),
        [60, 60, 100]
      )
      assert.equal(browser.open(), 2)
    })
  )

  it.scopedLive("when the stream of all is refused, and hears its own answer", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 2)
      for (const status of [400, 401, 403, 404]) {
        const refusing: typeof fetch = (input, init) =>
          String(input).includes("session=secret")
            ? Promise.resolve(new Response(JSON.stringify({ error: { code: "NO", message: "no" } }), { status }))
            : fetch(input, init)
        const browser = FakeBrowser.make({ fetch: refusing })
        const sessions = [{ session: "a", from: "start" }] as const
        const one = yield* Tab.open(browser, sluice.url, { sessions })
        yield* one.until("live")
        const two = yield* Tab.open(browser, sluice.url, { sessions })
        yield* two.until("live")
        const bad = yield* Tab.open(browser, sluice.url, { sessions: ["secret"] })
        const failure = yield* bad.ended
        assert.ok(failure instanceof RequestFailed && failure.status === status)
        assert.equal(bad.client.status.state, "failed")
        yield* sluice.add("a", { data: `${status}` })
        for (const { has } of [one, two]) {
          const data = Client.dataOf(yield* has(Tab.has("a", `${status}`)), "a")
          assert.deepEqual(data.slice(0, 2), Sluice.range(1, 2))
        }
        assert.equal(browser.open(), 2)
      }
    })
  )
})
