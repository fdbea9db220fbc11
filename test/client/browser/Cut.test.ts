import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import * as Sluice from "../../http/Sluice.ts"
import * as CuttingProxy from "../../scenarios/CuttingProxy.ts"
import * as Client from "./Client.ts"
import { hasty } from "./FakeTimers.ts"

const cuts = 60

const data = (count: number) => `event ${count}\n${"ü".repeat(count % 300)}`

/** Where connections end: from within the head of the response to far into the events. */
const ends = Effect.map(
  Effect.forEach(Array.from({ length: cuts }), () =>
    Effect.flatMap(Random.nextIntBetween(1, 14), (power) => Random.nextIntBetween(1, 2 ** power + 1))
  ),
  (all) => () => all.pop() ?? Number.POSITIVE_INFINITY
)

describe("a client whose connections are cut at random bytes, while events are appended throughout", () => {
  for (const sessions of [["a"], ["a", "b"]]) {
    it.scopedLive(`gives each event of ${sessions.join(" and ")} once and in order (promise 2, S111)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ connection: { replayCap: 1_000_000 } })
        const proxy = yield* CuttingProxy.make(sluice.url, yield* ends)
        const following = yield* Client.follow({
          url: proxy.url,
          sessions: sessions.map((session) => ({ session, from: "start" })),
          timers: hasty
        })
        const appended = yield* Effect.iterate(0, {
          while: (count) => proxy.cuts() < cuts && count < 20_000,
          body: (count) =>
            Effect.as(
              Effect.forEach(sessions, (session) => sluice.add(session, { data: data(count) })),
              count + 1
            )
        })
        assert.equal(proxy.cuts(), cuts)
        const expected = Array.from({ length: appended }, (_, count) => data(count))
        const items = yield* following.has((items) =>
          sessions.every((session) => Client.dataOf(items, session).at(-1) === expected.at(-1))
        )
        for (const session of sessions) assert.deepEqual(Client.dataOf(items, session), expected)
        assert.deepEqual(
          items.filter(({ type }) => type === "gap"),
          []
        )
      }).pipe(Effect.withRandom(Random.make(sessions.join())))
    )
  }
})
