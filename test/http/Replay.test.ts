import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { StreamClient } from "../../src/testing/StreamClient.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

/** What a stream said until it was live: frame names in order, hello, the gap if any, and the events' data. */
const untilLive = (client: StreamClient) =>
  Effect.map(client.named("sluice.live"), () => {
    const events = client.events()
    const named = (name: string) => events.flatMap((event) => (event.name === name ? [Call.json(event)] : []))
    return {
      order: events.map(({ name }) => name.replace("sluice.", "")).filter((name, at, all) => name !== all[at - 1]),
      hello: named("sluice.hello")[0] ?? {},
      gaps: named("sluice.gap"),
      data: Sluice.dataOf(events)
    }
  })

describe("the place where a stream begins", () => {
  it.scopedLive("is that of Last-Event-ID, else of cursor, else of from, else the head (S72)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("a", 10)
      const last = { "Last-Event-ID": `${epoch}.8` }
      const cases = [
        [`cursor=${epoch}.5&from=start`, last, Sluice.range(9, 10)],
        ["from=start", last, Sluice.range(9, 10)],
        [`cursor=${epoch}.5&from=start`, {}, Sluice.range(6, 10)],
        [`cursor=${epoch}.5`, {}, Sluice.range(6, 10)],
        ["from=start", {}, Sluice.range(1, 10)],
        ["from=head", {}, []],
        ["", {}, []],
        ["from=start", { "Last-Event-ID": "" }, Sluice.range(1, 10)]
      ] as const
      for (const [query, headers, data] of cases) {
        assert.deepEqual((yield* untilLive(yield* sluice.watch("a", query, headers))).data, data, query)
      }
      const many = yield* sluice.stream(`/v1/stream?session=a@${epoch}.5&session=b&from=start`, {
        "Last-Event-ID": `a.${epoch}.8_b.0.0`
      })
      yield* many.named("sluice.live")
      assert.equal(many.events().filter(({ name }) => name === "message").length, 2)
    })
  )

  it.scopedLive(
    "before 30 missed events brings each once, in order, then sluice.live, and hello says resumed (S73)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const epoch = yield* sluice.fill("a", 80)
        for (const headers of [{ "Last-Event-ID": `${epoch}.50` }, {}]) {
          const { data, gaps, hello, order } = yield* untilLive(yield* sluice.watch("a", `cursor=${epoch}.50`, headers))
          assert.deepEqual(data, Sluice.range(51, 80))
          assert.deepEqual(gaps, [])
          assert.deepEqual(order, ["hello", "message", "live"])
          assert.deepEqual(Call.pick(hello, "mode", "cursor", "oldest", "head"), {
            mode: "resumed",
            cursor: `${epoch}.50`,
            oldest: 1,
            head: 80
          })
        }
        const atHead = yield* untilLive(yield* sluice.watch("a", "", { "Last-Event-ID": `${epoch}.80` }))
        assert.deepEqual([atHead.data, atHead.gaps, atHead.hello["mode"]], [[], [], "resumed"])
      })
  )

  it.scopedLive(
    "100 behind a head of 300 is within the cap of 200; 99 is one too far, and one event is a gap (S74)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const epoch = yield* sluice.fill("a", 300)
        const within = yield* untilLive(yield* sluice.watch("a", `cursor=${epoch}.100`))
        assert.deepEqual([within.data, within.gaps], [Sluice.range(101, 300), []])
        const client = yield* sluice.watch("a", `cursor=${epoch}.99`)
        const beyond = yield* untilLive(client)
        assert.deepEqual(beyond.order, ["hello", "gap", "message", "live"])
        assert.deepEqual(beyond.gaps, [
          { session: "a", after: 99, next: 101, missed: 1, oldest: 1, head: 300, reason: "cap" }
        ])
        assert.deepEqual(beyond.data, Sluice.range(101, 300))
        // A browser that breaks off right after the gap does not ask for it again.
        assert.equal((yield* client.named("sluice.gap")).lastId, `${epoch}.100`)
      })
  )

  it.scopedLive(
    "before the oldest kept event is one gap, and the frame after it is the event that it names (S78)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ session: { retainEvents: 101 } })
        const epoch = yield* sluice.fill("a", 600)
        const client = yield* sluice.watch("a", `cursor=${epoch}.10`)
        const { data, gaps } = yield* untilLive(client)
        assert.deepEqual(gaps, [
          { session: "a", after: 10, next: 500, missed: 489, oldest: 500, head: 600, reason: "retention" }
        ])
        assert.deepEqual(data, Sluice.range(500, 600))
        const events = client.events()
        const gap = events.findIndex(({ name }) => name === "sluice.gap")
        assert.deepEqual(Call.pick(events[gap + 1] ?? {}, "name", "data", "lastId"), {
          name: "message",
          data: "500",
          lastId: `${epoch}.500`
        })
      })
  )

  it.scopedLive("in a former log is reset, with one gap, and the new log from its beginning (S79)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const former = yield* sluice.fill("a", 50)
      yield* sluice.call("/v1/sessions/a", { method: "DELETE" })
      const epoch = yield* sluice.fill("a", 5)
      for (const seq of [3, 50, 0]) {
        const { data, gaps, hello } = yield* untilLive(
          yield* sluice.watch("a", "", { "Last-Event-ID": `${former}.${seq}` })
        )
        assert.deepEqual(Call.pick(hello, "mode", "epoch", "head"), { mode: "reset", epoch, head: 5 })
        assert.equal(gaps.length, 1)
        assert.deepEqual(Call.pick(gaps[0] ?? {}, "session", "next", "missed", "head", "reason"), {
          session: "a",
          next: 1,
          missed: null,
          head: 5,
          reason: "epoch"
        })
        assert.deepEqual(data, Sluice.range(1, 5))
      }
    })
  )

  it.scopedLive(
    "ahead of the head is one gap; the stream begins at the head and brings what is appended next (S79)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const epoch = yield* sluice.fill("a", 5)
        const client = yield* sluice.watch("a", `cursor=${epoch}.99`)
        const { data, gaps, hello } = yield* untilLive(client)
        assert.deepEqual(Call.pick(hello, "mode", "cursor", "head"), { mode: "reset", cursor: `${epoch}.5`, head: 5 })
        assert.equal(gaps.length, 1)
        assert.deepEqual(Call.pick(gaps[0] ?? {}, "next", "missed", "head", "reason"), {
          next: 6,
          missed: null,
          head: 5,
          reason: "ahead"
        })
        assert.deepEqual(data, [])
        assert.equal(client.lastId(), `${epoch}.5`)
        yield* sluice.add("a", { data: "6" })
        yield* client.find(({ data, lastId }) => data === "6" && lastId === `${epoch}.6`)
      })
  )
})

const nonsense = ["x", "e", "e.", ".1", "e.-1", "e.1.5", "e.01", "E.1", "e.9007199254740993", "e 1", "a.e.1"]

describe("what is not a cursor", () => {
  it.scopedLive("is 400 in the query, and names the field and its form (S80)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 5)
      for (const text of ["", "e.1 ", ...nonsense].map(encodeURIComponent)) {
        const details = Call.assertError(
          yield* sluice.call(`/v1/sessions/a/stream?cursor=${text}`),
          400,
          "INVALID_REQUEST"
        )
        assert.deepEqual(Call.pick(details, "field", "allowed"), { field: "cursor", allowed: "must be EPOCH.SEQ" })
        Call.assertError(yield* sluice.call(`/v1/stream?session=a@${text}`), 400, "INVALID_REQUEST")
      }
      const from = Call.assertError(yield* sluice.call("/v1/sessions/a/stream?from=middle"), 400, "INVALID_REQUEST")
      assert.equal(from["field"], "from")
    })
  )

  it.scopedLive("as Last-Event-ID counts as none: the stream opens as without, and hello tells it (S80)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 5)
      for (const text of nonsense) {
        const { data, gaps, hello } = yield* untilLive(yield* sluice.watch("a", "", { "Last-Event-ID": text }))
        assert.deepEqual(
          Call.pick(hello, "mode", "problem", "head"),
          { mode: "reset", problem: "bad_cursor", head: 5 },
          text
        )
        assert.deepEqual([data, gaps], [[], []])
      }
      const fromStart = yield* untilLive(yield* sluice.watch("a", "from=start", { "Last-Event-ID": "x" }))
      assert.deepEqual([fromStart.data, fromStart.hello["problem"]], [Sluice.range(1, 5), "bad_cursor"])
      const many = yield* sluice.stream("/v1/stream?session=a&session=b", { "Last-Event-ID": "e.1" })
      const hello = Call.json(yield* many.named("sluice.hello"))
      assert.equal(hello["problem"], "bad_cursor")
      const fine = Call.json(yield* (yield* sluice.watch("a", "", { "Last-Event-ID": "" })).named("sluice.hello"))
      assert.deepEqual(Call.pick(fine, "mode", "problem"), { mode: "started", problem: undefined })
    })
  )
})
