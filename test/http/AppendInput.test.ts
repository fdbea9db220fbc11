import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

const limit = 1_048_576
const longest = `${"a".repeat(124)}._~-`
const routes: ReadonlyArray<readonly [method: string, below: string]> = [
  ["POST", "/events"],
  ["GET", "/events"],
  ["GET", "/stream"],
  ["GET", ""],
  ["DELETE", ""]
]

describe("a session id", () => {
  for (const [says, id] of [
    ["of 129 characters", "a".repeat(129)],
    ["with an encoded slash", "a%2Fb"],
    ["with an encoded space", "a%20b"],
    ["with an encoded line feed", "a%0Ab"],
    ["with an encoded NUL", "a%00b"],
    ["of another script", "%C3%A9"],
    ["that is an encoded dot dot", "%2E%2E"],
    ["with a broken escape", "a%zz"]
  ] as const) {
    for (const [method, below] of routes) {
      it.scopedLive(`${says} is 400 on ${method} …/:id${below} and says what is allowed (S65)`, () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make()
          const body = method === "POST" ? { body: '{"data":1}' } : {}
          const details = Call.assertError(
            yield* sluice.call(`/v1/sessions/${id}${below}`, { method, ...body }),
            400,
            "INVALID_REQUEST"
          )
          assert.match(String(details["message"]), /1 to 128 of A-Z a-z 0-9/)
          assert.deepEqual(Call.json(yield* sluice.call("/v1/sessions"))["sessions"], [])
        })
      )
    }
  }

  it.scopedLive("of 128 characters is taken by every route, as it stands and percent-encoded (S65)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { session } = yield* sluice.add(longest, { data: "x" })
      assert.equal(session, longest)
      assert.equal((yield* sluice.add(longest.replace("a", "%61"), { data: "y" })).head, 2)
      const client = yield* sluice.watch(longest, "from=start")
      yield* client.named("sluice.live")
      assert.deepEqual(Sluice.dataOf(client.events()), ["x", "y"])
      assert.equal(Call.json(yield* sluice.call(`/v1/sessions/${longest}`))["head"], 2)
      assert.equal((yield* sluice.call(`/v1/sessions/${longest}/events`)).status, 200)
      assert.equal((yield* sluice.call(`/v1/sessions/${longest}`, { method: "DELETE" })).status, 204)
    })
  )
})

describe("data", () => {
  for (const [says, ascii] of [
    ["ASCII", true],
    ["characters of two bytes", false]
  ] as const) {
    it.scopedLive(`of 1,048,576 bytes passes, one more is 413 and names the limit: ${says} (S65)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const full = ascii ? "a".repeat(limit) : "é".repeat(limit / 2)
        assert.equal((yield* sluice.add("a", { data: full })).head, 1)
        const refused = [
          [yield* sluice.append("a", { data: `${full}a` }), "data"],
          [yield* sluice.append("a", { events: [{ data: 1 }, { data: `${full}a` }] }), "events[1].data"],
          [yield* sluice.append("a", `{"data":"${full}a"}`, { "Content-Type": "application/x-ndjson" }), "line 1.data"],
          [yield* sluice.append("a", { data: [full] }), "data"]
        ] as const
        for (const [answer, field] of refused) {
          const details = Call.assertError(answer, 413, "PAYLOAD_TOO_LARGE")
          assert.deepEqual(Call.pick(details, "field", "limit"), { field, limit })
        }
        assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], 1)
      })
    )
  }

  it.scopedLive("has the limit that is configured (S65)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ http: { maxEventBytes: 10 } })
      yield* sluice.add("a", { data: "0123456789" })
      const details = Call.assertError(yield* sluice.append("a", { data: "0123456789a" }), 413, "PAYLOAD_TOO_LARGE")
      assert.equal(details["limit"], 10)
    })
  )

  it.scopedLive("may be nested 64 deep, not 65 (design §10)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const nested = (depth: number) => `{"data":${"[".repeat(depth)}${"]".repeat(depth)}}`
      assert.equal((yield* sluice.append("a", nested(64))).status, 201)
      for (const depth of [65, 100_000]) {
        const details = Call.assertError(yield* sluice.append("a", nested(depth)), 400, "INVALID_REQUEST")
        assert.equal(details["field"], "data")
        assert.match(String(details["message"]), /64/)
      }
    })
  )
})

describe("a body that is no event", () => {
  for (const body of [
    "",
    "{",
    "nonsense",
    "[]",
    "1",
    "null",
    '"text"',
    "{}",
    '{"name":"n"}',
    '{"events":{}}',
    '{"events":[1]}'
  ]) {
    it.scopedLive(`is 400 and names what is wrong: ${body || "(empty)"} (S65)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const details = Call.assertError(yield* sluice.append("a", body), 400, "INVALID_REQUEST")
        assert.match(String(details["field"]), /^(?:body|data|events(?:\[0\])?)$/)
        assert.ok(String(details["allowed"]).length > 0)
        Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
      })
    )
  }
})
