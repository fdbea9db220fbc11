import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import type { NewEvent } from "../../src/domain/Event.ts"
import * as OutputLines from "../../src/process/OutputLines.ts"
import { anyText, cuts } from "../protocol/Arbitraries.ts"

const events = (pieces: ReadonlyArray<string>, options: Partial<OutputLines.Options> = {}) => {
  const lines = OutputLines.make({ source: "stdout", format: "text", ...options })
  return [...pieces.flatMap(lines.feed), ...lines.end()]
}
const named = (name: string, ...data: ReadonlyArray<string>): ReadonlyArray<NewEvent> =>
  data.map((data) => ({ name, data }))
const raw = (...data: ReadonlyArray<string>) => named("stdout", ...data)

/** Where the text is cut, in UTF-16 units: also in the middle of a pair. */
const pieces = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<string> => {
  const places = cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b)
  return [...places, text.length].map((place, index) => text.slice(places[index - 1] ?? 0, place))
}

/** What is to come of a whole text: read slowly, a code point at a time. */
const expected = (text: string, maxLineBytes: number): ReadonlyArray<string> => {
  const whole = text.split("\n")
  const last = whole.pop() ?? ""
  const lines = whole.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line))
  if (last !== "") lines.push(last)
  return lines.flatMap((line) => {
    const parts = [""]
    for (const point of line) {
      const part = (parts.at(-1) ?? "") + point
      if (Buffer.byteLength(part) > maxLineBytes) parts.push(point)
      else parts[parts.length - 1] = part
    }
    return parts
  })
}

describe("a line of text", () => {
  it("is an event named by its output, without its LF or CRLF", () => {
    assert.deepEqual(events(["a\nb\r\nc\rd\n"]), raw("a", "b", "c\rd"))
    assert.deepEqual(events(["a\n"], { source: "stderr" }), named("stderr", "a"))
  })

  it("is an event when it is empty", () => assert.deepEqual(events(["\n\r\n\n"]), raw("", "", "")))

  it("is an event without a line end when it is the last", () => {
    assert.deepEqual(events(["a\nb"]), raw("a", "b"))
    assert.deepEqual(events(["a\r"]), raw("a\r"))
    assert.deepEqual(events([]), [])
  })

  it("is no JSON, whatever it looks like", () => {
    assert.deepEqual(events([`{"data":1}\n`]), raw(`{"data":1}`))
  })
})

describe("a line of JSON", () => {
  const json = (line: string) => events([`${line}\n`], { format: "json" })

  it("is the event that it says: a string as it is, another value as JSON text", () => {
    assert.deepEqual(json(`{"name":"token","data":"a\\nb"}`), named("token", "a\nb"))
    assert.deepEqual(json(`{"name":"t","data": {"a": [1, null]}}`), named("t", `{"a":[1,null]}`))
    assert.deepEqual(json(`{"data":null}\r`), named("message", "null"))
    assert.deepEqual(json(`{"name":"","data":""}`), named("message", ""))
  })

  const others = [
    ["no JSON", "hello {"],
    ["a broken object", `{"data":`],
    ["another value", `"text"`],
    ["an array", `[{"data":1}]`],
    ["an object without data", `{"name":"a"}`],
    ["a name that is no text", `{"name":1,"data":1}`],
    ["a reserved name", `{"name":"sluice.process","data":1}`],
    ["a name with a line end", `{"name":"a\\nb","data":1}`],
    ["data nested too deeply", `{"data":${"[".repeat(65)}${"]".repeat(65)}}`],
    ["data nested beyond reason", `{"data":${"[".repeat(50_000)}${"]".repeat(50_000)}}`],
    ["nothing", ""]
  ] as const
  for (const [says, line] of others) {
    it(`is raw when it is ${says}, so that nothing is lost`, () => assert.deepEqual(json(line), raw(line)))
  }

  it("is raw when its data would grow beyond the bound", () => {
    const line = `{"data":[1e20,1e20]}`
    assert.deepEqual(events([line], { format: "json", maxLineBytes: line.length }), raw(line))
  })

  it("is raw in parts when it is longer than the bound, though its end looks like an event", () => {
    const line = `${"x".repeat(16)}{"data":12345}`
    assert.deepEqual(events([line], { format: "json", maxLineBytes: 16 }), raw("x".repeat(16), line.slice(16)))
  })

  it("is raw on stderr", () => {
    assert.deepEqual(events([`{"data":1}\n`], { format: "json", source: "stderr" }), named("stderr", `{"data":1}`))
  })
})

describe("however an output is cut into pieces", () => {
  const line = fc.oneof(
    anyText,
    fc
      .record({ name: anyText, data: fc.jsonValue() }, { requiredKeys: ["data"] })
      .map((event) => JSON.stringify(event)),
    fc.string({ unit: fc.constantFrom("a", "é", "€", "😀", "\r"), maxLength: 40 })
  )
  const ending = fc.constantFrom("\n", "\r\n", "\n\n", "")
  const output = fc.array(fc.tuple(line, ending), { maxLength: 6 }).map((lines) => lines.flat().join(""))
  const bound = fc.integer({ min: 4, max: 40 })

  const often = { fastCheck: { numRuns: 2_000 } }

  it.prop(
    "its raw lines are the same, in parts within the bound that halve no pair",
    [output, cuts, bound],
    ([text, cuts, maxLineBytes]) => {
      assert.deepEqual(events(pieces(text, cuts), { maxLineBytes }), raw(...expected(text, maxLineBytes)))
    },
    often
  )

  it.prop(
    "its events are the same",
    [output, cuts, fc.option(bound, { nil: 1_000 })],
    ([text, cuts, maxLineBytes]) => {
      const options = { format: "json", maxLineBytes } as const
      assert.deepEqual(events(pieces(text, cuts), options), events([text], options))
    },
    often
  )

  it.prop("its events are the same when it comes a unit at a time", [output, bound], ([text, maxLineBytes]) => {
    assert.deepEqual(events(text.split(""), { maxLineBytes }), events([text], { maxLineBytes }))
  })
})

describe("a line of 1 GiB", () => {
  for (const [says, character] of [
    ["of one byte a character", "a"],
    ["of pairs", "😀"]
  ] as const) {
    it(`${says} is cut while it comes, in bounded memory`, () => {
      const lines = OutputLines.make({ source: "stdout", format: "json" })
      const piece = character.repeat((64 * 1024) / Buffer.byteLength(character))
      const before = process.memoryUsage().rss
      let bytes = 0
      let most = 0
      for (let fed = 0; fed < 16 * 1024; fed++) {
        for (const { data } of lines.feed(piece)) {
          bytes += Buffer.byteLength(data)
          assert.ok(Buffer.byteLength(data) <= OutputLines.defaultMaxLineBytes)
        }
        if (fed % 256 === 0) most = Math.max(most, process.memoryUsage().rss - before)
      }
      for (const { data } of lines.end()) bytes += Buffer.byteLength(data)
      assert.equal(bytes, 1024 ** 3)
      assert.ok(most < 150 * 1024 * 1024, `${most} bytes`)
    })
  }
})
