import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { SessionId } from "../../../src/domain/Session.ts"
import * as Sluice from "../../http/Sluice.ts"
import * as CuttingProxy from "../../scenarios/CuttingProxy.ts"
import { connect, dataOf, watched } from "./Watcher.ts"

const a = SessionId.make("a")
const b = SessionId.make("b")
const cuts = 60

/** Where connections end: from within the head of the response to far into the events. Not all get so far. */
const ends = Effect.map(
  Effect.forEach(Array.from({ length: cuts * 2 }), () =>
    Effect.flatMap(Random.nextIntBetween(1, 15), (power) => Random.nextIntBetween(1, 2 ** power + 1))
  ),
  (all) => () => all.pop() ?? Number.POSITIVE_INFINITY
)

const text = (count: number) => `${count}\n${"ü".repeat(count % 300)}`

describe("a watcher whose connections are cut at random bytes, while events are appended throughout", () => {
  for (const sessions of [a, [a, b]] as const) {
    const what = typeof sessions === "string" ? "one session" : "several sessions"
    it.scopedLive(`gets each event of ${what} once and in order, gaps filled (promise 2, S111)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ connection: { replayCap: 3 } })
        const proxy = yield* CuttingProxy.make(sluice.url, yield* ends)
        const watcher = yield* watched(yield* connect(proxy.url), sessions, { from: "start" })
        let count = 0
        while (proxy.cuts() < cuts) {
          yield* sluice.add("a", { events: [{ data: text(count) }, { data: text(count + 1) }] })
          yield* sluice.add("b", { data: text(count) })
          count += 2
        }
        yield* watcher.events(a, count)
        if (typeof sessions !== "string") yield* watcher.events(b, count / 2)
        const all = Array.from({ length: count }, (_, index) => text(index))
        assert.deepEqual(dataOf(watcher.all, a), all)
        if (typeof sessions !== "string") {
          assert.deepEqual(
            dataOf(watcher.all, b),
            all.filter((_, index) => index % 2 === 0)
          )
        }
        assert.ok(!watcher.all.some(({ _tag }) => _tag === "Gap"))
      }).pipe(Effect.withRandom(Random.make(what)))
    )
  }
})
