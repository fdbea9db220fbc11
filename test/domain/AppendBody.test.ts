import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc } from "effect"
import * as AppendBody from "../../src/domain/AppendBody.ts"
import type { NewEvent } from "../../src/domain/Event.ts"
import { anyText } from "../protocol/Arbitraries.ts"

const limit = 1_048_576

type Parsed = ReturnType<typeof AppendBody.parse>

const parse = (body: unknown): Parsed => AppendBody.parse(JSON.stringify(body), limit)

/** What came of a body in one value: its events, or the error as its reader sees it. */
const outcome = (parsed: Parsed): ReadonlyArray<NewEvent> | string =>
  Either.match(parsed, { onLeft: (error) => `${error._tag}: ${error.message}`, onRight: (events) => events })

const times = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth))

describe("a body to append", () => {
  it("is one event", () => {
    assert.deepStrictEqual(outcome(parse({ name: "delta", data: "x" })), [{ name: "delta", data: "x" }])
  })

  it("is a list of events, kept in their order (S61)", () => {
    const events = [
      { name: "a", data: "1" },
      { name: "b", data: "2" },
      { name: "a", data: "3" }
    ]
    assert.deepStrictEqual(outcome(parse({ events })), events)
  })

  it("may have fields that nobody reads", () => {
    assert.deepStrictEqual(outcome(parse({ data: "x", at: 1, nested: {} })), [{ name: "message", data: "x" }])
  })

  it("is a list when it has both events and data", () => {
    assert.deepStrictEqual(outcome(parse({ data: "x", events: [{ data: "y" }] })), [{ name: "message", data: "y" }])
    assert.strictEqual(outcome(parse({ data: "x", events: [] })), "InvalidRequest: events must have 1 to 1000 members")
  })

  for (const count of [1, 1000]) {
    it(`may have ${count} events (S61)`, () => {
      assert.lengthOf(Either.getOrThrow(parse({ events: times(count, { data: 0 }) })), count)
    })
  }

  for (const count of [0, 1001]) {
    it(`may not have ${count} events (S61)`, () => {
      assert.strictEqual(
        outcome(parse({ events: times(count, { data: 0 }) })),
        "InvalidRequest: events must have 1 to 1000 members"
      )
    })
  }

  const shapes = [
    ["null", "body must be an object with data and an optional name"],
    ["[]", "body must be an object with data and an optional name"],
    [`[{"data":1}]`, "body must be an object with data and an optional name"],
    [`"text"`, "body must be an object with data and an optional name"],
    ["{}", "data must be present: any JSON value"],
    [`{"events":null}`, "events must be an array of 1 to 1000 events"],
    [`{"events":{"0":{"data":1}}}`, "events must be an array of 1 to 1000 events"],
    [`{"events":[[]]}`, "events[0] must be an object with data and an optional name"],
    [`{"__proto__":{"data":1}}`, "data must be present: any JSON value"]
  ] as const
  for (const [text, message] of shapes) {
    it(`is refused as ${text}, with what is allowed (S65)`, () => {
      assert.strictEqual(outcome(AppendBody.parse(text, limit)), `InvalidRequest: ${message}`)
    })
  }

  for (const text of [
    "",
    "{",
    "undefined",
    "{'data':1}",
    `{"data":1}x`,
    `\ufeff{"data":1}`,
    `{"data":"a\nb"}`,
    `{"data":NaN}`
  ]) {
    it(`is refused as the broken JSON ${JSON.stringify(text)} (S65)`, () => {
      assert.match(String(outcome(AppendBody.parse(text, limit))), /^InvalidRequest: body must be JSON: ./s)
    })
  }
})

describe("one invalid member", () => {
  it("refuses the whole list and is named by its index (S61)", () => {
    const good = { data: "x" }
    assert.strictEqual(
      outcome(parse({ events: [good, { name: 7, data: "x" }, good] })),
      "InvalidRequest: events[1].name must be a string"
    )
    assert.strictEqual(
      outcome(parse({ events: [good, good, {}] })),
      "InvalidRequest: events[2].data must be present: any JSON value"
    )
    assert.strictEqual(
      outcome(parse({ events: [...times(999, good), { name: "sluice.bye", data: "x" }] })),
      "InvalidRequest: events[999].name must not start with sluice."
    )
    assert.strictEqual(
      outcome(parse({ events: [good, { data: "x".repeat(limit + 1) }] })),
      "PayloadTooLarge: events[1].data must have at most 1048576 bytes"
    )
  })
})

describe("the name of an event", () => {
  const named = (name: unknown) => outcome(parse({ name, data: "x" }))

  it("is message when it is absent or empty, as in SSE", () => {
    assert.deepStrictEqual(outcome(parse({ data: "x" })), [{ name: "message", data: "x" }])
    assert.deepStrictEqual(named(""), [{ name: "message", data: "x" }])
    assert.deepStrictEqual(named("message"), [{ name: "message", data: "x" }])
  })

  for (const name of [
    " a",
    ":",
    "ü😀",
    "a\u007fb",
    "a\u0085b",
    "a\u2028b",
    "sluice",
    "Sluice.x",
    "my.sluice.x",
    "__proto__"
  ]) {
    it(`may be ${JSON.stringify(name)}`, () => assert.deepStrictEqual(named(name), [{ name, data: "x" }]))
  }

  it("has no control character, at any place (S50)", () => {
    for (let code = 0; code < 32; code++) {
      const control = String.fromCharCode(code)
      for (const name of [control, `a${control}`, `${control}a`, `a${control}b`, `message${control}`]) {
        assert.strictEqual(named(name), "InvalidRequest: name must not contain control characters")
      }
    }
  })

  for (const name of ["sluice.", "sluice.hello", "sluice.mine"]) {
    it(`is not ${name}, which belongs to the server (S50)`, () => {
      assert.strictEqual(named(name), "InvalidRequest: name must not start with sluice.")
    })
  }

  it("has at most 256 characters", () => {
    assert.deepStrictEqual(named("n".repeat(256)), [{ name: "n".repeat(256), data: "x" }])
    assert.strictEqual(named("n".repeat(257)), "InvalidRequest: name must have at most 256 characters")
  })

  for (const name of [null, 7, true, {}, ["a"]]) {
    it(`is not ${JSON.stringify(name)}`, () => assert.strictEqual(named(name), "InvalidRequest: name must be a string"))
  }
})

describe("the data of an event", () => {
  const kept: ReadonlyArray<readonly [json: string, data: string]> = [
    [`"text"`, "text"],
    [`""`, ""],
    [`"a\\r\\nb\\u0000\\u2028"`, "a\r\nb\u0000\u2028"],
    [`"{\\"a\\":1}"`, `{"a":1}`],
    ["null", "null"],
    ["true", "true"],
    ["0", "0"],
    ["-1.5e3", "-1500"],
    ["[]", "[]"],
    [`{ "b" : 1, "a" : [ null, "x" ] }`, `{"b":1,"a":[null,"x"]}`],
    [`{"__proto__":{"a":1}}`, `{"__proto__":{"a":1}}`]
  ]
  for (const [json, data] of kept) {
    it(`is ${JSON.stringify(data)} for the JSON ${json} (S49)`, () => {
      assert.deepStrictEqual(outcome(AppendBody.parse(`{"data":${json}}`, limit)), [{ name: "message", data }])
    })
  }

  it("must be present", () => {
    assert.strictEqual(outcome(parse({ name: "a" })), "InvalidRequest: data must be present: any JSON value")
  })

  it("may be nested 64 deep, in arrays and in objects", () => {
    assert.deepStrictEqual(outcome(parse({ data: nested(64) })), [
      { name: "message", data: "[".repeat(64) + "]".repeat(64) }
    ])
    const object = `${`{"a":`.repeat(64)}1${"}".repeat(64)}`
    assert.deepStrictEqual(outcome(AppendBody.parse(`{"data":${object}}`, limit)), [{ name: "message", data: object }])
  })

  it("may not be nested 65 deep, wherever that is", () => {
    const refused = "InvalidRequest: data must not be nested deeper than 64"
    assert.strictEqual(outcome(parse({ data: nested(65) })), refused)
    assert.strictEqual(outcome(parse({ data: { a: [1, 2], b: nested(64) } })), refused)
    assert.strictEqual(
      outcome(parse({ events: [{ data: 1 }, { data: nested(65) }] })),
      refused.replace("data", "events[1].data")
    )
  })

  it("is refused, and does not exhaust the stack, when it is nested 500,000 deep", () => {
    const text = `{"data":${"[".repeat(500_000)}${"]".repeat(500_000)}}`
    assert.strictEqual(outcome(AppendBody.parse(text, limit)), "InvalidRequest: data must not be nested deeper than 64")
  })

  const widths = [
    ["a", 1],
    ["é", 2],
    ["€", 3],
    ["😀", 4],
    ["\ud800", 3]
  ] as const
  for (const [character, bytes] of widths) {
    it(`may have exactly 1,048,576 bytes of UTF-8, of ${JSON.stringify(character)} too (S65)`, () => {
      const count = Math.floor(limit / bytes)
      const fits = character.repeat(count) + "a".repeat(limit - count * bytes)
      assert.strictEqual(new TextEncoder().encode(fits).length, limit)
      assert.isTrue(Either.isRight(parse({ data: fits })))
      const refused = "PayloadTooLarge: data must have at most 1048576 bytes"
      assert.strictEqual(outcome(parse({ data: `${fits}a` })), refused)
      assert.strictEqual(outcome(parse({ data: character + fits })), refused)
    })
  }

  it("is measured as it is sent: other JSON as its text", () => {
    const small = (data: unknown) => outcome(AppendBody.parse(JSON.stringify({ data }), 8))
    assert.deepStrictEqual(small(["abcd"]), [{ name: "message", data: `["abcd"]` }])
    assert.strictEqual(small(["abcde"]), "PayloadTooLarge: data must have at most 8 bytes")
    assert.deepStrictEqual(small("\u0000".repeat(8)), [{ name: "message", data: "\u0000".repeat(8) }])
  })

  it.prop("has a limit in bytes of UTF-8, whatever the text", { data: anyText, max: fc.nat(40) }, ({ data, max }) => {
    const isAccepted = Either.isRight(AppendBody.parse(JSON.stringify({ data }), max))
    assert.strictEqual(isAccepted, new TextEncoder().encode(data).length <= max)
  })
})

describe("NDJSON", () => {
  const ndjson = (text: string) => outcome(AppendBody.parseNdjson(text, limit))
  const x = { name: "message", data: "x" }

  it("has an event a line, with or without a line end after the last, with LF or CRLF (S61)", () => {
    for (const text of [
      `{"data":"x"}\n{"data":"x"}`,
      `{"data":"x"}\n{"data":"x"}\n`,
      `{"data":"x"}\r\n{"data":"x"}\r\n`
    ]) {
      assert.deepStrictEqual(ndjson(text), [x, x])
    }
  })

  it("may have empty lines, which count when a line is named", () => {
    assert.deepStrictEqual(ndjson(`\n{"data":"x"}\n \n\r\n{"data":"x"}\n\n`), [x, x])
    assert.strictEqual(
      ndjson(`\n{"data":"x"}\n\n{"name":"a"}`),
      "InvalidRequest: line 4.data must be present: any JSON value"
    )
  })

  for (const count of [1, 1000]) {
    it(`may have ${count} events (S61)`, () => assert.lengthOf(ndjson(`{"data":"x"}\n`.repeat(count)), count))
  }

  for (const count of [0, 1001]) {
    it(`may not have ${count} events (S61)`, () => {
      assert.strictEqual(ndjson(`{"data":"x"}\n`.repeat(count)), "InvalidRequest: events must have 1 to 1000 members")
    })
  }

  it("is refused as a whole for one line that is broken or no event, which is named", () => {
    assert.match(String(ndjson(`{"data":"x"}\n{"data":\n{"data":"x"}`)), /^InvalidRequest: line 2 must be JSON: ./)
    assert.strictEqual(
      ndjson(`{"data":"x"}\n7`),
      "InvalidRequest: line 2 must be an object with data and an optional name"
    )
    assert.strictEqual(
      ndjson(`{"events":[{"data":"x"}]}`),
      "InvalidRequest: line 1.data must be present: any JSON value"
    )
    assert.strictEqual(
      ndjson(`{"data":"x","name":"a\\n"}`),
      "InvalidRequest: line 1.name must not contain control characters"
    )
    assert.strictEqual(
      outcome(AppendBody.parseNdjson(`{"data":"x"}\n{"data":"xy"}`, 1)),
      "PayloadTooLarge: line 2.data must have at most 1 bytes"
    )
  })

  it.prop(
    "means the same as a list of the same events",
    {
      events: fc.array(fc.record({ name: anyText, data: fc.oneof(anyText, fc.jsonValue()) }), {
        minLength: 1,
        maxLength: 5
      })
    },
    ({ events }) => {
      const lines = AppendBody.parseNdjson(events.map((event) => JSON.stringify(event)).join("\n"), limit)
      const list = parse({ events })
      assert.strictEqual(Either.isRight(lines), Either.isRight(list))
      if (Either.isRight(list)) assert.deepStrictEqual(outcome(lines), outcome(list))
    }
  )
})
