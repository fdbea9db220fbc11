import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as ConnectAnswer from "../../src/domain/ConnectAnswer.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import { SessionId } from "../../src/domain/Session.ts"
import { anyText } from "../protocol/Arbitraries.ts"
import { binds, parse } from "./Answers.ts"

describe("an answer to a connect", () => {
  const meaningless = ["", " ", "OK", "<html></html>", "{", "null", "7", `"text"`, "[]", `[{"request_id":"a"}]`, "{}"]
  for (const text of meaningless) {
    it(`binds nothing, and nobody is told: ${JSON.stringify(text)} (S15)`, () => {
      assert.deepStrictEqual(ConnectAnswer.parse(text), binds({}))
    })
  }

  it("may have other fields, and null for what it does not bind (S15)", () => {
    assert.deepStrictEqual(parse({ status: "ok", user: { id: 1 }, request_id: null, watch: null }), binds({}))
    assert.deepStrictEqual(parse({ events: null, expires_in: null }), binds({}))
  })

  it("binds all that it names (S16)", () => {
    const body = {
      request_id: "R1",
      watch: [{ session: "bound", from: "start" }],
      events: [{ name: "welcome", data: "hi" }],
      expires_in: 60
    }
    assert.deepStrictEqual(
      parse(body),
      binds({
        requestId: "R1",
        watch: [{ session: SessionId.make("bound"), position: ReplayPlan.start }],
        events: [{ name: "welcome", data: "hi" }],
        expiresIn: Duration.seconds(60)
      })
    )
  })

  it("still binds the rest when a part is malformed", () => {
    assert.deepStrictEqual(
      parse({ request_id: 7, watch: "all", events: {}, expires_in: 1 }),
      binds(
        { expiresIn: Duration.seconds(1) },
        "request_id must be a string of 1 to 256 characters without control characters",
        "watch must be an array",
        "events must be an array"
      )
    )
  })
})

describe("request_id", () => {
  for (const id of ["a", "é 😀", "x".repeat(256), "__proto__"]) {
    it(`may be ${JSON.stringify(id.slice(0, 20))}`, () => {
      assert.deepStrictEqual(parse({ request_id: id }), binds({ requestId: id }))
    })
  }

  for (const id of ["", "x".repeat(257), "a\nb", "\u0000", 7, true, ["a"], {}]) {
    it(`may not be ${JSON.stringify(id).slice(0, 20)}`, () => {
      const { answer, ignored } = parse({ request_id: id })
      assert.deepStrictEqual(answer, ConnectAnswer.nothing)
      assert.deepStrictEqual(ignored, ["request_id must be a string of 1 to 256 characters without control characters"])
    })
  }
})

describe("expires_in", () => {
  for (const seconds of [1, 0.25, 3600, 30 * 86_400]) {
    it(`may be ${seconds}`, () => {
      assert.deepStrictEqual(parse({ expires_in: seconds }), binds({ expiresIn: Duration.seconds(seconds) }))
    })
  }

  for (const value of ["0", "-1", `"60"`, "[60]", "true"]) {
    it(`may not be ${value}`, () => {
      assert.deepStrictEqual(
        ConnectAnswer.parse(`{"expires_in":${value}}`),
        binds({}, "expires_in must be a positive number of seconds")
      )
    })
  }

  for (const value of ["2592001", "1e999"]) {
    it(`is 30 days when it is more: ${value}. A limit does not become none`, () => {
      assert.deepStrictEqual(
        ConnectAnswer.parse(`{"expires_in":${value}}`),
        binds({ expiresIn: Duration.days(30) }, "expires_in must be at most 30 days, and is taken for that")
      )
    })
  }
})

describe("what is ignored", () => {
  it("is named in ten lines, and the rest is counted", () => {
    const { ignored } = parse({ request_id: 1, watch: Array.from({ length: 30 }, () => 7) })
    assert.strictEqual(ignored.length, 11)
    assert.strictEqual(ignored.at(-1), "and 21 more")
  })

  it.prop("is told without what the backend wrote, in lines of their own", { text: anyText }, ({ text }) => {
    const { ignored } = parse({ request_id: [text], watch: [{ session: `${text} ` }], events: [{ name: `${text}\n` }] })
    for (const line of ignored) assert.match(line, /^[a-z_]+(\[0\]\.[a-z]+)? [\x20-\x7e]+$/)
  })
})
