import { assert, describe, it } from "@effect/vitest"
import * as ConnectAnswer from "../../src/domain/ConnectAnswer.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import { SessionId } from "../../src/domain/Session.ts"
import { binds, parse } from "./Answers.ts"

const session = (id: string) => SessionId.make(id)

describe("watch", () => {
  it("begins at the cursor, else where from says, else at the head", () => {
    const watch = [
      { session: "a" },
      { session: "b", from: "head" },
      { session: "c", from: "start" },
      { session: "d", cursor: "k3.7" },
      { session: "e", cursor: "k3.7", from: "start" },
      { session: "f", cursor: null, from: null }
    ]
    assert.deepStrictEqual(
      parse({ watch }).answer.watch.map(({ position }) => position),
      [
        ReplayPlan.head,
        ReplayPlan.head,
        ReplayPlan.start,
        ReplayPlan.at({ epoch: "k3", seq: 7 }),
        ReplayPlan.at({ epoch: "k3", seq: 7 }),
        ReplayPlan.head
      ]
    )
  })

  it("has each session once, as it is named first", () => {
    const watch = [{ session: "a", from: "start" }, { session: "b" }, { session: "a" }]
    assert.deepStrictEqual(
      parse({ watch }),
      binds({
        watch: [
          { session: session("a"), position: ReplayPlan.start },
          { session: session("b"), position: ReplayPlan.head }
        ]
      })
    )
  })

  it("leaves out what is malformed, and says which and why", () => {
    const watch = [
      { session: "a b" },
      { session: "ok" },
      "bare",
      null,
      { session: "c", cursor: "7" },
      { session: "d", cursor: 7 },
      { session: "e", from: "end" },
      { session: "f", from: ["start"] },
      { session: "g", cursor: "", from: "start" }
    ]
    const rule = "must be 1 to 128 of A-Z a-z 0-9 . _ ~ : - (and not . or ..)"
    assert.deepStrictEqual(
      parse({ watch }),
      binds(
        { watch: [{ session: session("ok"), position: ReplayPlan.head }] },
        `watch[0].session ${rule}`,
        `watch[2].session ${rule}`,
        `watch[3].session ${rule}`,
        "watch[4].cursor must be EPOCH.SEQ",
        "watch[5].cursor must be EPOCH.SEQ",
        "watch[6].from must be start or head",
        "watch[7].from must be start or head",
        "watch[8].cursor must be EPOCH.SEQ"
      )
    )
  })

  it("is of at most 100 sessions; repeated ones do not count", () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => ({ session: `s${index}` }))
    assert.deepStrictEqual(parse({ watch: [...many(100), ...many(100)] }).ignored, [])
    const { answer, ignored } = parse({ watch: many(102) })
    assert.strictEqual(answer.watch.length, 100)
    assert.deepStrictEqual(ignored, [
      "watch[100] is over the 100 that are kept",
      "watch[101] is over the 100 that are kept"
    ])
  })
})

describe("events", () => {
  it("have text as it is, and any other JSON as its text", () => {
    const data = ["a\r\nb", "", null, true, -1.5e3, [], { b: [null], a: "x" }]
    assert.deepStrictEqual(
      parse({ events: data.map((data) => ({ data })) }).answer.events.map((event) => event.data),
      ["a\r\nb", "", "null", "true", "-1500", "[]", `{"b":[null],"a":"x"}`]
    )
  })

  it("have no name when it is absent, null or empty", () => {
    const events = [{ data: "x" }, { name: null, data: "x" }, { name: "", data: "x" }]
    assert.deepStrictEqual(parse({ events }), binds({ events: events.map(() => ({ name: undefined, data: "x" })) }))
  })

  it("leave out what is malformed, and say which and why", () => {
    const events = [
      { name: "sluice.live", data: "x" },
      { name: "a\nb", data: "x" },
      { name: "n".repeat(257), data: "x" },
      { name: 7, data: "x" },
      { name: "a" },
      "text",
      { name: "ok", data: "x" }
    ]
    assert.deepStrictEqual(
      parse({ events }),
      binds(
        { events: [{ name: "ok", data: "x" }] },
        "events[0].name must not start with sluice.",
        "events[1].name must not contain control characters",
        "events[2].name must have at most 256 characters",
        "events[3].name must be a string",
        "events[4].data must be present: any JSON value",
        "events[5].data must be present: any JSON value"
      )
    )
  })

  it("may be nested 64 deep; what is deeper is left out, and does not exhaust the stack", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
    const text = `{"events":[{"data":${nested(64)}},{"data":${nested(65)}},{"data":${nested(500_000)}}]}`
    const rule = "must not be nested deeper than 64"
    assert.deepStrictEqual(
      ConnectAnswer.parse(text),
      binds({ events: [{ name: undefined, data: nested(64) }] }, `events[1].data ${rule}`, `events[2].data ${rule}`)
    )
  })

  it("are at most 100, and equal ones are as good as others", () => {
    const many = (count: number) => Array.from({ length: count }, () => ({ data: "x" }))
    assert.deepStrictEqual(parse({ events: many(100) }).ignored, [])
    const { answer, ignored } = parse({ events: many(101) })
    assert.strictEqual(answer.events.length, 100)
    assert.deepStrictEqual(ignored, ["events[100] is over the 100 that are kept"])
  })
})
