import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ScriptedFetch from "../ScriptedFetch.ts"
import * as Scripted from "./Scripted.ts"

const { live, settled } = ScriptedFetch

type Network = ReturnType<typeof Scripted.make>

const fromStart = { session: "s", from: "start" } as const

const begun = (network: Network) =>
  Effect.gen(function* () {
    yield* settled
    const stream = yield* network.begin(0, 1)
    yield* stream.write(live(1))
    yield* settled
    return stream
  })

const reading = (network: Network) =>
  Effect.gen(function* () {
    yield* begun(network)
    const tab = yield* network.open(fromStart)
    return [tab, yield* network.request(1)] as const
  })

const moments: ReadonlyArray<readonly [when: string, come: (network: Network) => Effect.Effect<unknown>]> = [
  ["before they know of each other", () => Effect.void],
  ["while they connect", () => settled],
  ["while they are live", begun],
  [
    "while they wait to come back",
    (network) =>
      Effect.flatMap(begun(network), (stream) => {
        stream.end()
        return settled
      })
  ],
  ["while one is about to depose another", (network) => Effect.map(settled, () => network.timers.advance(47_000))]
]

describe("after all tabs closed, nothing is left", () => {
  for (const [when, come] of moments) {
    it.scoped(when, () =>
      Effect.gen(function* () {
        const network = Scripted.make()
        const tabs = [yield* network.open(), yield* network.open(), yield* network.openSlow()]
        yield* come(network)
        for (const { close } of tabs) close()
        yield* settled
        assert.deepEqual(network.browser.left(), { locks: 0, channels: 0, streams: 0 })
        assert.equal(network.timers.pending(), 0)
      })
    )
  }

  for (const isTriedAgain of [false, true]) {
    it.scoped(`while one ${isTriedAgain ? "waits to read" : "reads"} the history${isTriedAgain ? " again" : ""}`, () =>
      Effect.gen(function* () {
        const network = Scripted.make()
        const first = yield* network.open()
        const [second, history] = yield* reading(network)
        if (isTriedAgain) history.answer(new Response("", { status: 503 }))
        yield* settled
        second.close()
        first.close()
        yield* settled
        assert.equal(history.signal?.aborted, true)
        assert.deepEqual(network.browser.left(), { locks: 0, channels: 0, streams: 0 })
        assert.equal(network.timers.pending(), 0)
      })
    )
  }

  it.scoped("also when the one that leads closes because of what it is told", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const leading = yield* network.open()
      yield* begun(network)
      // The other's session makes it connect anew.
      leading.client.onStatus(({ state }) => state === "connecting" && leading.close())
      const other = yield* network.open("other")
      yield* settled
      network.timers.advance(50)
      yield* settled
      assert.equal(leading.client.status.state, "closed")
      assert.equal(network.browser.open(), 1)
      other.close()
      yield* settled
      assert.deepEqual(network.browser.left(), { locks: 0, channels: 0, streams: 0 })
      assert.equal(network.timers.pending(), 0)
    })
  )

  it.scoped("also when it closes as it returns from the bfcache", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const tab = yield* network.open()
      yield* begun(network)
      tab.hide()
      yield* settled
      assert.deepEqual(network.browser.left(), { locks: 0, channels: 0, streams: 0 })
      tab.client.onStatus(() => tab.close())
      tab.show()
      yield* settled
      assert.deepEqual(network.browser.left(), { locks: 0, channels: 0, streams: 0 })
      assert.equal(network.timers.pending(), 0)
    })
  )
})
