import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "./Call.ts"
import { engines } from "./Engines.ts"
import * as Sluice from "./Sluice.ts"

const ndjson = { "Content-Type": "application/x-ndjson" }
const lines = (count: number) => Array.from({ length: count }, (_, index) => `{"data":${index + 1}}\n`).join("")

for (const [engine, store] of engines) {
  describe(`an append (${engine})`, () => {
    it.scopedLive("creates its session and is answered with its place; each session counts from 1 (S57)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const answer = yield* sluice.append("a", { name: "n", data: "x" })
        assert.equal(answer.status, 201)
        assert.match(answer.headers["content-type"] ?? "", /^application\/json/)
        const { epoch, ...rest } = Sluice.appended(answer)
        assert.match(epoch, /^[a-z0-9]{1,32}$/)
        assert.deepEqual(rest, { session: "a", first: 1, last: 1, head: 1 })
        const other = yield* sluice.add("b", { data: 1 })
        assert.deepEqual(Call.pick(other, "first", "last", "head"), { first: 1, last: 1, head: 1 })
        assert.notEqual(other.epoch, epoch)
        const next = yield* sluice.add("a", { data: 2 })
        assert.deepEqual(next, { session: "a", epoch, first: 2, last: 2, head: 2 })
        const session = Call.json(yield* sluice.call("/v1/sessions/a"))
        assert.deepEqual(Call.pick(session, "session", "epoch", "state", "oldest", "head", "watchers"), {
          session: "a",
          epoch,
          state: "CREATED",
          oldest: 1,
          head: 2,
          watchers: 0
        })
      })
    )

    it.scopedLive("of 1 or 1,000 events gets consecutive numbers, of 0 or 1,001 it is refused (S61)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        for (const count of [0, 1001]) {
          const refused = yield* sluice.append("a", { events: Sluice.numbered(1, count) })
          assert.deepEqual(Call.pick(Call.assertError(refused, 400, "INVALID_REQUEST"), "field"), { field: "events" })
          Call.assertError(yield* sluice.append("a", lines(count), ndjson), 400, "INVALID_REQUEST")
        }
        Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
        const places = [
          yield* sluice.add("a", { events: Sluice.numbered(1, 1) }),
          yield* sluice.add("a", { events: Sluice.numbered(2, 1000) }),
          Sluice.appended(yield* sluice.append("a", lines(1000), ndjson)),
          Sluice.appended(yield* sluice.append("a", lines(1), ndjson))
        ]
        assert.deepEqual(
          places.map(({ first, head, last }) => [first, last, head]),
          [
            [1, 1, 1],
            [2, 1001, 1001],
            [1002, 2001, 2001],
            [2002, 2002, 2002]
          ]
        )
      })
    )

    it.scopedLive("with one invalid member is refused whole, names it, and creates no session (S61)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const batch = yield* sluice.append("a", { events: [{ data: 1 }, { data: 2 }, { name: 3, data: 3 }] })
        assert.equal(Call.assertError(batch, 400, "INVALID_REQUEST")["field"], "events[2].name")
        const missing = yield* sluice.append("a", '{"data":1}\n\n{"name":"no data"}\n{"data":3}', ndjson)
        assert.equal(Call.assertError(missing, 400, "INVALID_REQUEST")["field"], "line 3.data")
        const broken = yield* sluice.append("a", '{"data":1}\n{"data":', ndjson)
        assert.equal(Call.assertError(broken, 400, "INVALID_REQUEST")["field"], "line 2")
        Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
      })
    )

    it.scopedLive("that expects another head is 409 and is told the real one; one that knows it is stored (S64)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const epoch = yield* sluice.fill("a", 3)
        const ifMatch = (value: string) => sluice.append("a", { data: "x" }, { "If-Match": value })
        const expect = (value: string) => sluice.post(`/v1/sessions/a/events?expect=${value}`, { data: "x" })
        const wrong = [ifMatch(`"${epoch}.2"`), ifMatch(`"${epoch}.4"`), ifMatch('"other.3"'), expect("2"), expect("4")]
        for (const refused of wrong) {
          const details = Call.assertError(yield* refused, 409, "CONFLICT")
          assert.deepEqual(Call.pick(details, "session", "epoch", "head"), { session: "a", epoch, head: 3 })
        }
        assert.equal(Sluice.appended(yield* ifMatch(`"${epoch}.3"`)).first, 4)
        assert.equal(Sluice.appended(yield* expect("4")).first, 5)
        for (const nonsense of [ifMatch("5"), ifMatch('"5"'), expect("five"), expect(""), expect("-1")]) {
          Call.assertError(yield* nonsense, 400, "INVALID_REQUEST")
        }
        assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], 5)
      })
    )

    it.scopedLive(
      "that expects no event at all creates the session once, however many try at the same time (S64)",
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store: yield* store })
          const answers = yield* Effect.replicateEffect(
            sluice.post("/v1/sessions/a/events?expect=0", { data: "x" }),
            10,
            {
              concurrency: 10
            }
          )
          assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array.from({ length: 9 }, () => 409)])
          assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], 1)
        })
    )
  })
}
