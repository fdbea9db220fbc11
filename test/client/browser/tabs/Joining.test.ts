import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Processes from "../../../http/Processes.ts"
import * as Sluice from "../../../http/Sluice.ts"
import * as Client from "../Client.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as ScriptedFetch from "../ScriptedFetch.ts"
import * as Scripted from "./Scripted.ts"
import * as Tab from "./Tab.ts"

const gapsOf = (items: ReadonlyArray<Client.Item>) => items.filter(({ type }) => type === "gap")

const fromStart = (session: string) => ({ session, from: "start" }) as const

describe("a tab that comes later", () => {
  it.scopedLive("and begins at the start gets the history in order and then what is live, while events come", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("a", 900)
      const browser = FakeBrowser.make()
      const first = yield* Tab.open(browser, sluice.url, { sessions: ["a"] })
      yield* first.until("live")
      const appending = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 60 }, (_, index) => `${901 + index}`),
          (data) => sluice.add("a", { data })
        )
      )
      const places = ["start", { epoch, seq: 890 }, "start", "head", { epoch, seq: 5 }] as const
      const late = yield* Effect.forEach(places, (from) =>
        Tab.open(browser, sluice.url, { sessions: [{ session: "a", from }] })
      )
      yield* appending
      const begins = [1, 891, 1, undefined, 6]
      for (const [index, { has }] of [...late, first].entries()) {
        const items = yield* has(Tab.has("a", "960"))
        const [begin] = Client.eventsOf(items, "a")
        const from = begins[index] ?? begin?.seq ?? assert.fail("nothing")
        assert.ok(from > 900 || from === begins[index])
        assert.deepEqual(Client.dataOf(items, "a"), Sluice.range(from, 960))
        assert.deepEqual(gapsOf(items), [])
      }
      assert.deepEqual([browser.most(), browser.asked.length], [1, 1])
    })
  )

  it.scoped(
    "brings its session to the others' stream with those that come soon after, and never sooner than the server asked",
    () =>
      Effect.gen(function* () {
        const network = Scripted.make()
        yield* network.open("a")
        yield* ScriptedFetch.settled
        const first = yield* network.begin(0, 0)
        for (const session of ["b", "c", "d"]) yield* network.open(session)
        yield* ScriptedFetch.settled
        assert.equal(network.count(), 1)
        network.timers.advance(50)
        const second = yield* network.request(1)
        assert.match(second.url, /session=a&session=b&session=c&session=d$/)
        assert.equal(first.signal?.aborted, true)
        second.open()
        yield* second.write(ScriptedFetch.hello(0) + ScriptedFetch.bye(60_000))
        second.end()
        yield* ScriptedFetch.settled
        yield* network.open("e")
        yield* ScriptedFetch.settled
        // In steps, so that the leading tab can say that it is there.
        for (const millis of [...Array.from({ length: 11 }, () => 5000), 4999]) {
          network.timers.advance(millis)
          yield* ScriptedFetch.settled
        }
        assert.equal(network.count(), 2)
        network.timers.advance(1)
        assert.match((yield* network.request(2)).url, /session=e$/)
      })
  )

  it.scopedLive("with a place in a log that is no more is told so, and no other tab", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("a", 5)
      for (const isFirst of [true, false]) {
        const browser = FakeBrowser.make()
        const open = (from: "start" | { readonly epoch: string; readonly seq: number }) =>
          Tab.open(browser, sluice.url, { sessions: [{ session: "a", from }] })
        const stale = { epoch: "old", seq: 3 }
        // Who comes first says from where the stream is.
        const [one, other, third] = isFirst
          ? [yield* open(stale), yield* open({ epoch, seq: 4 }), yield* open("start")]
          : [
              yield* Effect.flatMap(open({ epoch, seq: 4 }), (tab) => Effect.as(tab.until("live"), tab)),
              undefined,
              undefined
            ]
        const good = other ?? one
        const bad = other === undefined ? yield* open(stale) : one
        for (const tab of [good, bad]) yield* tab.has(Tab.lives(1))
        assert.deepEqual(Client.dataOf(good.items, "a"), ["5"])
        assert.deepEqual(gapsOf(good.items), [])
        assert.equal(gapsOf(bad.items).length, 1)
        if (third === undefined) continue
        assert.deepEqual(Client.dataOf(yield* third.has(Tab.lives(1)), "a"), Sluice.range(1, 5))
        assert.deepEqual(gapsOf(third.items), [])
      }
    })
  )

  it.scopedLive("hears what the log has no more as a gap, and all that it has", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { replayCap: 10 } })
      const epoch = yield* sluice.fill("a", 50)
      const browser = FakeBrowser.make()
      const first = yield* Tab.open(browser, sluice.url, { sessions: [fromStart("a")] })
      assert.deepEqual(Client.dataOf(yield* first.has(Tab.lives(1)), "a"), Sluice.range(41, 50))
      assert.deepEqual(
        first.items.flatMap((item) => (item.type === "gap" ? [item.gap] : [])),
        [{ epoch, after: 0, next: 41, missed: 40, reason: "cap" }]
      )
      // The history knows no cap.
      const late = yield* Tab.open(browser, sluice.url, { sessions: [fromStart("a")] })
      assert.deepEqual(Client.dataOf(yield* late.has(Tab.lives(1)), "a"), Sluice.range(1, 50))
    })
  )
})

describe("tabs with different sessions", () => {
  it.scopedLive("have one stream over all of them, which is asked for those of closed tabs no more", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const browser = FakeBrowser.make()
      yield* sluice.fill("a", 2)
      yield* sluice.fill("b", 2)
      const a = yield* Tab.open(browser, sluice.url, { sessions: [fromStart("a")] })
      yield* a.until("live")
      const b = yield* Tab.open(browser, sluice.url, { sessions: [fromStart("b")] })
      const both = yield* Tab.open(browser, sluice.url, { sessions: ["b", fromStart("a")] })
      for (const tab of [a, b, both]) yield* tab.until("live")
      assert.deepEqual(Tab.sessionsOf(browser.asked.at(-1)), ["a", "b"])
      yield* sluice.add("a", { data: "3" })
      yield* sluice.add("b", { data: "3" })
      assert.deepEqual(Client.dataOf(yield* a.has(Tab.has("a", "3")), "a"), Sluice.range(1, 3))
      assert.deepEqual(Client.dataOf(yield* b.has(Tab.has("b", "3")), "b"), Sluice.range(1, 3))
      yield* both.has(Tab.has("b", "3"))
      assert.deepEqual(Client.dataOf(both.items, "a"), Sluice.range(1, 3))
      assert.ok(a.items.every(({ session }) => session === "a"))
      b.crash()
      both.close()
      yield* browser.until(() => browser.left().channels === 1)
      // The lock of the crashed tab is what tells of it.
      yield* browser.until(() => browser.left().locks === 2)
      const c = yield* Tab.open(browser, sluice.url, { sessions: ["c"] })
      yield* c.until("live")
      assert.deepEqual(Tab.sessionsOf(browser.asked.at(-1)), ["a", "c"])
      assert.equal(browser.most(), 1)
    })
  )

  it.scopedLive("never share with tabs that have another key or another server", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const browser = FakeBrowser.make()
      const open = (url: string, key?: string) =>
        Tab.open(browser, url, { sessions: ["a"], ...(key === undefined ? {} : { key }) })
      const other = yield* Sluice.make()
      const tabs = [
        yield* open(sluice.url),
        yield* open(sluice.url, "one"),
        yield* open(sluice.url, "two"),
        yield* open(`${sluice.url}/`, "two"),
        yield* open(other.url, "two")
      ]
      for (const tab of tabs) yield* tab.until("live")
      assert.equal(browser.open(), 4)
      yield* other.add("a", { data: "other" })
      yield* tabs[4]?.has(Tab.has("a", "other")) ?? assert.fail()
      yield* sluice.add("a", { data: "this" })
      for (const tab of tabs.slice(0, 4)) {
        assert.deepEqual(Client.dataOf(yield* tab.has(Tab.has("a", "this")), "a"), ["this"])
      }
    })
  )
})

describe("a session that ends", () => {
  it.scopedLive("ends in all tabs, and in one that opens it later", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make()
      const child = yield* sluice.attach("a")
      const browser = FakeBrowser.make()
      const one = yield* Tab.open(browser, sluice.url, { sessions: [fromStart("a")] })
      const two = yield* Tab.open(browser, sluice.url, { sessions: ["a", "b"] })
      const three = yield* Tab.open(browser, sluice.url, { sessions: ["a"] })
      for (const tab of [one, two, three]) yield* tab.until("live")
      yield* child.end()
      for (const tab of [one, three]) assert.equal(yield* tab.ended, undefined)
      assert.equal((yield* two.first("end")).session, "a")
      const { cursor } = yield* one.first("end")
      const all = Client.dataOf(one.items, "a")
      assert.equal(all.length, cursor?.seq)
      // What goes on, goes on.
      yield* sluice.add("b", { data: "more" })
      yield* two.has(Tab.has("b", "more"))
      const late = yield* Tab.open(browser, sluice.url, { sessions: [fromStart("a")] })
      assert.equal(yield* late.ended, undefined)
      assert.deepEqual(Client.dataOf(late.items, "a"), all)
      assert.deepEqual(late.client.status, { state: "ended" })
      // It has all already, and the stream is over other sessions too.
      const known = yield* Tab.open(browser, sluice.url, { sessions: [{ session: "a", from: cursor ?? "head" }] })
      assert.equal(yield* known.ended, undefined)
      yield* sluice.add("b", { data: "and more" })
      yield* two.has(Tab.has("b", "and more"))
      two.close()
      // Nobody is there any more.
      const last = yield* Tab.open(browser, sluice.url, { sessions: [{ session: "a", from: cursor ?? "head" }] })
      assert.equal(yield* last.ended, undefined)
      assert.deepEqual(
        last.items.map(({ type }) => type),
        ["end"]
      )
      yield* browser.until(() => browser.left().locks === 0)
      assert.deepEqual(browser.left(), { locks: 0, channels: 0, streams: 0 })
    })
  )
})
