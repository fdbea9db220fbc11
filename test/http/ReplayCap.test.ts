import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as Call from "./Call.ts"
import * as Engines from "./Engines.ts"
import * as Sluice from "./Sluice.ts"

const Events = Schema.parseJson(Schema.Struct({ events: Schema.Array(Schema.Struct({ seq: Schema.Int })) }))
const decodeEvents = Schema.decodeUnknownSync(Events)

describe("a reader 6,000 events behind", () => {
  // promise 5
  it.scopedLive(
    "gets one gap, the newest 200, sluice.live, and what is appended next: no timer is waited for (S75)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const epoch = yield* sluice.fill("a", 6000)
        const log = { session: "a", oldest: 1, head: 6000, reason: "cap", next: 5801 }
        for (const [query, gap] of [
          [`cursor=${epoch}.10`, { ...log, after: 10, missed: 5790 }],
          ["from=start", { ...log, after: 0, missed: 5800 }]
        ] as const) {
          const client = yield* sluice.watch("a", query)
          yield* client.named("sluice.live")
          assert.deepEqual(
            client.events().map(({ name }) => name),
            ["sluice.hello", "sluice.gap", ...Array.from({ length: 200 }, () => "message"), "sluice.live"]
          )
          assert.deepEqual(Call.json(yield* client.named("sluice.gap")), gap)
          assert.deepEqual(Sluice.dataOf(client.events()), Sluice.range(5801, 6000))
        }
        const client = yield* sluice.watch("a", `cursor=${epoch}.10`)
        yield* client.named("sluice.live")
        yield* sluice.add("a", { data: "next" })
        const next = yield* client.find(({ data }) => data === "next")
        assert.equal(next.lastId, `${epoch}.6001`)
      })
  )

  it.scopedLive("fetches exactly what the gap left out, in 6 pages (S76)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 6000)
      const seqs: Array<number> = []
      let after = 10
      let pages = 0
      while (after < 5800) {
        const answer = yield* sluice.call(`/v1/sessions/a/events?after=${after}&before=5801&limit=1000`)
        const { events } = decodeEvents(answer.text)
        seqs.push(...events.map(({ seq }) => seq))
        after = seqs[seqs.length - 1] ?? Number.POSITIVE_INFINITY
        pages += 1
      }
      assert.equal(pages, 6)
      assert.deepEqual(
        seqs,
        Array.from({ length: 5790 }, (_, index) => index + 11)
      )
    })
  )

  it.scopedLive(
    "is one of 100 that return after a restart: each replays 200, and an event meanwhile reaches each (S77)",
    () =>
      Effect.gen(function* () {
        const store = yield* Engines.sqlite
        const epoch = yield* Effect.scoped(Effect.flatMap(Sluice.make({ store }), (sluice) => sluice.fill("a", 6000)))
        const sluice = yield* Sluice.make({ store })
        const returning = Array.from({ length: 100 }, (_, index) =>
          sluice.watch("a", "", { "Last-Event-ID": `${epoch}.${index}` })
        )
        const [clients] = yield* Effect.all(
          [Effect.all(returning, { concurrency: 20 }), sluice.add("a", { data: "6001" })],
          {
            concurrency: "unbounded"
          }
        )
        for (const [index, client] of clients.entries()) {
          yield* client.find(({ lastId }) => lastId === `${epoch}.6001`)
          const gap = Call.json(yield* client.named("sluice.gap"))
          assert.equal(gap["after"], index)
          assert.deepEqual(Sluice.dataOf(client.events()), Sluice.range(Number(gap["next"]), 6001))
          assert.ok(Number(gap["next"]) >= 5801)
        }
      })
  )
})

describe("what a connect replays", () => {
  it.scopedLive("is what the plan says, for every place around oldest, head, cap and epoch (S81)", () =>
    Effect.gen(function* () {
      const cap = 3
      const sluice = yield* Sluice.make({ connection: { replayCap: cap }, session: { retainEvents: 5 } })
      const epoch = yield* sluice.fill("a", 8)
      const log = { epoch, oldest: 4, head: 8 }
      for (const cursor of [epoch, "other"].flatMap((epoch) =>
        Array.from({ length: 11 }, (_, seq) => ({ epoch, seq }))
      )) {
        const plan = ReplayPlan.make(log, ReplayPlan.at(cursor), cap)
        const client = yield* sluice.watch("a", `cursor=${cursor.epoch}.${cursor.seq}`)
        yield* client.named("sluice.live")
        const gaps = client.events().flatMap((event) => (event.name === "sluice.gap" ? [Call.json(event)] : []))
        assert.deepEqual(gaps, plan.gap === undefined ? [] : [{ session: "a", ...plan.gap, oldest: 4, head: 8 }])
        const data = Sluice.dataOf(client.events())
        assert.ok(data.length <= cap)
        assert.deepEqual(data, Sluice.range(plan.after + 1, 8))
        assert.equal(Call.json(yield* client.named("sluice.hello"))["mode"], plan.mode)
        yield* client.abort
      }
    })
  )
})
