import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Call from "./Call.ts"
import * as Engines from "./Engines.ts"
import * as Sluice from "./Sluice.ts"

const Page = Schema.parseJson(
  Schema.Struct({
    session: Schema.String,
    epoch: Schema.String,
    oldest: Schema.Int,
    head: Schema.Int,
    events: Schema.Array(
      Schema.Struct({ seq: Schema.Int, name: Schema.String, data: Schema.String, at: Schema.String })
    )
  })
)
const decodePage = Schema.decodeUnknownSync(Page, { onExcessProperty: "error" })

const List = Schema.parseJson(
  Schema.Struct({
    sessions: Schema.Array(
      Schema.Struct({
        session: Schema.String,
        epoch: Schema.String,
        state: Schema.String,
        oldest: Schema.Int,
        head: Schema.Int,
        watchers: Schema.Int,
        createdAt: Schema.String,
        updatedAt: Schema.String
      })
    ),
    next: Schema.optionalWith(Schema.String, { exact: true })
  })
)
const decodeList = Schema.decodeUnknownSync(List, { onExcessProperty: "error" })

const upward = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)
const downward = (first: number, last: number) => upward(last, first).reverse()

for (const [engine, store] of Engines.engines) {
  describe(`history (${engine})`, () => {
    it.scopedLive("pages by exclusive bounds, 100 at a time unless told, both ways (S66)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const epoch = yield* sluice.fill("a", 250)
        for (const [query, seqs] of [
          ["", upward(1, 100)],
          ["?after=100", upward(101, 200)],
          ["?after=200", upward(201, 250)],
          ["?after=250", []],
          ["?after=1000", []],
          ["?before=4", upward(1, 3)],
          ["?before=1", []],
          ["?after=10&before=12", [11]],
          ["?after=10&before=11", []],
          ["?limit=1", [1]],
          ["?limit=1000", upward(1, 250)],
          ["?order=asc&limit=3&after=5", upward(6, 8)],
          ["?order=desc", downward(250, 151)],
          ["?order=desc&before=151", downward(150, 51)],
          ["?order=desc&after=40&before=51&limit=1000", downward(50, 41)]
        ] as const) {
          const page = decodePage((yield* sluice.call(`/v1/sessions/a/events${query}`)).text)
          assert.deepEqual(
            page.events.map(({ seq }) => seq),
            seqs,
            query
          )
          assert.deepEqual(
            page.events.map(({ data }) => data),
            seqs.map(String),
            query
          )
          assert.deepEqual(Call.pick(page, "session", "epoch", "oldest", "head"), {
            session: "a",
            epoch,
            oldest: 1,
            head: 250
          })
        }
      })
    )

    it.scopedLive("gives data exactly as sent, and the time of the commit (S49, S66)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const texts = ["a\r\nb\rc\nd", "\u2028", "half \ud800", "", " x", "\u0000"]
        yield* sluice.add("a", { events: [...texts, { n: [1] }].map((data) => ({ name: "n", data })) })
        const { events } = decodePage((yield* sluice.call("/v1/sessions/a/events")).text)
        assert.deepEqual(
          events.map(({ data }) => data),
          [...texts.with(2, "half \ufffd"), '{"n":[1]}']
        )
        for (const { at } of events) assert.equal(new Date(at).toISOString(), at)
      })
    )

    it.scopedLive("refuses a bad query by name, and knows no session that does not exist (S66)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        yield* sluice.fill("a", 1)
        for (const query of [
          "limit=0",
          "limit=1001",
          "limit=x",
          "limit=1.5",
          "limit=",
          "after=-1",
          "after=x",
          "before=x",
          "order=up"
        ]) {
          const details = Call.assertError(yield* sluice.call(`/v1/sessions/a/events?${query}`), 400, "INVALID_REQUEST")
          assert.equal(details["field"], query.split("=")[0])
        }
        Call.assertError(yield* sluice.call("/v1/sessions/unknown/events"), 404, "SESSION_NOT_FOUND")
        Call.assertError(yield* sluice.call("/v1/sessions/unknown"), 404, "SESSION_NOT_FOUND")
        Call.assertError(yield* sluice.call("/v1/sessions/unknown", { method: "DELETE" }), 404, "SESSION_NOT_FOUND")
      })
    )
  })

  describe(`the list of sessions (${engine})`, () => {
    it.scopedLive("pages by after and next, and filters by state (S66)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        assert.deepEqual(decodeList((yield* sluice.call("/v1/sessions")).text), { sessions: [] })
        const ids = Array.from({ length: 25 }, (_, index) => `s${`${index}`.padStart(2, "0")}`)
        yield* Effect.forEach(ids, (id) => sluice.add(id, { data: id }), { concurrency: 5 })
        const client = yield* sluice.watch("s03")
        yield* client.named("sluice.live")
        const found: Array<string> = []
        let query = "limit=10"
        for (const size of [10, 10, 5]) {
          const { next, sessions } = decodeList((yield* sluice.call(`/v1/sessions?${query}`)).text)
          assert.equal(sessions.length, size)
          assert.equal(next, size === 10 ? sessions[9]?.session : undefined)
          found.push(...sessions.map(({ session }) => session))
          query = `limit=10&after=${next}`
        }
        assert.deepEqual(found, ids)
        const { sessions } = decodeList((yield* sluice.call("/v1/sessions?state=CREATED&after=s02&limit=2")).text)
        assert.deepEqual(
          sessions.map(({ session, watchers }) => [session, watchers]),
          [
            ["s03", 1],
            ["s04", 0]
          ]
        )
        assert.deepEqual(decodeList((yield* sluice.call("/v1/sessions?state=ACTIVE")).text), { sessions: [] })
        for (const bad of ["state=UP", "limit=0", "limit=1001", "after=a%20b"]) {
          const details = Call.assertError(yield* sluice.call(`/v1/sessions?${bad}`), 400, "INVALID_REQUEST")
          assert.equal(details["field"], bad.split("=")[0])
        }
      })
    )
  })

  describe(`the head (${engine})`, () => {
    it.scopedLive(
      "is 0, then the session's own last number, whatever others have, and stays when events go (S60, S67)",
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store: yield* store, session: { retainEvents: 3 } })
          const head = Effect.map(sluice.call("/v1/sessions/a"), (answer) =>
            Call.pick(Call.json(answer), "oldest", "head")
          )
          const unknown = yield* sluice.watch("a")
          assert.deepEqual(Call.pick(Call.json(yield* unknown.named("sluice.hello")), "oldest", "head"), {
            oldest: 1,
            head: 0
          })
          yield* sluice.add("a", { data: 1 })
          assert.deepEqual(yield* head, { oldest: 1, head: 1 })
          yield* sluice.fill("b", 20)
          assert.deepEqual(yield* head, { oldest: 1, head: 1 })
          yield* sluice.add("a", { events: Sluice.numbered(2, 9) })
          assert.deepEqual(yield* head, { oldest: 8, head: 10 })
        })
    )
  })
}
