import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Client from "../Client.ts"
import * as ScriptedFetch from "../ScriptedFetch.ts"
import * as Scripted from "./Scripted.ts"
import type * as Tab from "./Tab.ts"

const { event, live, settled } = ScriptedFetch

type Opened = Effect.Effect.Success<ReturnType<typeof Tab.open>>

const statesOf = (tabs: ReadonlyArray<Opened>) => tabs.map(({ client }) => client.status.state)

/** Everybody is live on the first stream, at 1. */
const threeLive = (network: ReturnType<typeof Scripted.make>) =>
  Effect.gen(function* () {
    const tabs = [yield* network.open(), yield* network.open(), yield* network.open()] as const
    yield* settled
    const stream = yield* network.begin(0, 1)
    yield* stream.write(live(1))
    yield* settled
    assert.deepEqual(statesOf(tabs), ["live", "live", "live"])
    return [tabs, stream] as const
  })

describe("the status of the shared connection", () => {
  it.scoped("is that of each tab", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const tabs = [yield* network.open(), yield* network.open(), yield* network.open()]
      yield* settled
      assert.deepEqual(statesOf(tabs), ["connecting", "connecting", "connecting"])
      const first = yield* network.begin(0, 1)
      yield* settled
      assert.deepEqual(statesOf(tabs), ["replaying", "replaying", "replaying"])
      yield* first.write(live(1))
      yield* settled
      assert.deepEqual(statesOf(tabs), ["live", "live", "live"])
      // Who comes later hears it too.
      tabs.push(yield* network.open())
      yield* settled
      assert.deepEqual(statesOf(tabs), ["live", "live", "live", "live"])
      first.end()
      yield* settled
      const { status } = tabs[0]?.client ?? assert.fail()
      assert.equal(status.state, "offline")
      for (const { client } of tabs) assert.deepEqual(client.status, status)
      network.timers.advance(0)
      yield* settled
      assert.deepEqual(statesOf(tabs), ["connecting", "connecting", "connecting", "connecting"])
      const second = yield* network.begin(1, 1)
      yield* Effect.fork(second.write(live(1) + Scripted.end(1))) // nobody reads on behind it
      yield* settled
      assert.deepEqual(statesOf(tabs), ["ended", "ended", "ended", "ended"])
      assert.deepEqual(network.browser.left(), { locks: 0, channels: 0, streams: 0 })
    })
  )

  it.scoped("is offline in all tabs when the browser is, and the connection breaks once", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const [tabs, first] = yield* threeLive(network)
      // Each of them is told, one long after the others.
      for (const { goOffline } of tabs.slice(0, 2)) goOffline()
      yield* settled
      assert.deepEqual(statesOf(tabs), ["offline", "offline", "offline"])
      assert.equal(first.signal?.aborted, true)
      for (const { goOnline } of tabs) goOnline()
      network.timers.advance(0)
      yield* settled
      assert.equal(network.count(), 2)
      const [, , stuck] = tabs
      stuck.freeze()
      const second = yield* network.begin(1, 1, "t2")
      yield* second.write(live(1))
      yield* settled
      stuck.goOffline()
      yield* settled
      assert.equal(second.signal?.aborted, false)
      stuck.thaw()
      yield* settled
      assert.deepEqual(statesOf(tabs), ["live", "live", "live"])
      // Now it knows that one, too.
      stuck.goOffline()
      yield* settled
      assert.equal(second.signal?.aborted, true)
    })
  )
})

describe("the leading tab", () => {
  it.scoped("is deposed when it is stuck, and joins the next one when it wakes up", () =>
    Effect.gen(function* () {
      let patience = 0
      const network = Scripted.make(() => patience++ / 10)
      const [tabs, first] = yield* threeLive(network)
      const [stuck, next] = tabs
      stuck.freeze()
      network.timers.advance(45_000)
      yield* settled
      network.timers.advance(4999)
      yield* settled
      assert.equal(network.count(), 1)
      network.timers.advance(1)
      yield* settled
      const second = yield* network.begin(1, 3, "t2")
      assert.equal(second.headers.get("last-event-id"), "s.e.1")
      yield* second.write(event(2) + event(3) + live(3))
      yield* settled
      assert.deepEqual(statesOf(tabs), ["live", "live", "live"])
      const heard = next.statuses.length
      stuck.thaw()
      yield* settled
      assert.equal(first.signal?.aborted, true)
      // What it says before it knows is of the past.
      assert.deepEqual(next.statuses.slice(heard), [])
      // It missed two events, which it reads from the history.
      const history = yield* network.request(2)
      assert.match(history.url, /events\?limit=1000&after=1&before=4$/)
      history.answer(Scripted.page(2, 3))
      yield* settled
      assert.deepEqual(statesOf(tabs), ["live", "live", "live"])
      yield* second.write(event(4))
      yield* settled
      for (const { items } of tabs) assert.deepEqual(Client.dataOf(items, "s"), ["2", "3", "4"])
      assert.deepEqual([network.browser.open(), network.count()], [1, 3])
    })
  )

  it.scoped("is not deposed while the server says nothing but heartbeats, or asks not to come back for long", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const [tabs, first] = yield* threeLive(network)
      for (let beats = 0; beats < 10; beats++) {
        network.timers.advance(15_000)
        yield* first.write(": heartbeat\n\n")
        yield* settled
      }
      yield* first.write(ScriptedFetch.bye(200_000))
      first.end()
      yield* settled
      for (let seconds = 0; seconds < 199; seconds++) {
        network.timers.advance(1000)
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      assert.deepEqual(statesOf(tabs), ["offline", "offline", "offline"])
      assert.equal(network.count(), 1)
      assert.ok(network.browser.posted.some(({ type }) => type === "ask"))
      network.timers.advance(1000)
      yield* network.request(1)
    })
  )
})
