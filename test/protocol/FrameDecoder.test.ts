import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Frame from "../../src/protocol/Frame.ts"
import * as FrameDecoder from "../../src/protocol/FrameDecoder.ts"
import { anyText, asLines, cuts, fieldText } from "./Arbitraries.ts"
import { cutText, read } from "./StandardReader.ts"

const event = (name: string, data: string, lastId = ""): FrameDecoder.Decoded => ({ _tag: "Event", name, data, lastId })

interface Outcome {
  readonly decoded: ReadonlyArray<FrameDecoder.Decoded>
  readonly lastId: string
}

const decode = (chunks: ReadonlyArray<string>): Outcome => {
  const decoder = FrameDecoder.make()
  const decoded = chunks.flatMap((chunk) => decoder.feed(chunk))
  return { decoded, lastId: decoder.lastId() }
}

/** WHATWG HTML §9.2.6 read aloud over the whole text at once; nothing is left to say about chunks. */
const whatwg = (stream: string): Outcome => {
  const lines = stream
    .replace(/^\ufeff/, "")
    .split(/\r\n|\r|\n/)
    .slice(0, -1) // the last one has no end: it is discarded
  const decoded: Array<FrameDecoder.Decoded> = []
  let [data, type, id, lastId] = ["", "", "", ""]
  for (const line of lines) {
    const [, field = "", value = ""] = /^([^:]*)(?::[ ]?(.*))?$/s.exec(line) ?? []
    if (line === "") {
      lastId = id
      if (data !== "")
        decoded.push({ _tag: "Event", name: type === "" ? "message" : type, data: data.replace(/\n$/, ""), lastId })
      data = type = ""
    } else if (line.startsWith(":")) decoded.push({ _tag: "Comment", text: line.slice(1) })
    else if (field === "event") type = value
    else if (field === "data") data += `${value}\n`
    else if (field === "id" && !value.includes("\u0000")) id = value
    else if (field === "retry" && /^[0-9]+$/.test(value))
      decoded.push({ _tag: "Retry", millis: Number.parseInt(value, 10) })
  }
  return { decoded, lastId }
}

/**
 * Where npm `eventsource-parser` 3.1 and WHATWG differ, and WHATWG and we are right:
 * - it waits for what follows a CR at the end of a chunk; the line is over at once. Hence the line that flushes it;
 * - it looks for the bytes of a byte order mark in decoded text; hence none is given to it;
 * - it gives an event the id of its own block only, and forgets an id-only block; an id stays until the next one;
 * - it takes the space after a comment's colon away; WHATWG says nothing of the text of comments.
 */
const assertAgreesWithJudge = (chunks: ReadonlyArray<string>): void => {
  const judged = read([...chunks, ":\n"])
  const { decoded } = decode([...chunks, ":\n"])
  const events = decoded.flatMap((it) => (it._tag === "Event" ? [it] : []))
  assert.deepStrictEqual(
    events.map(({ data, name }) => ({ data, name })),
    judged.events.map(({ data, name }) => ({ data, name }))
  )
  judged.events.forEach(({ id }, index) => {
    if (id !== undefined) assert.strictEqual(events[index]?.lastId, id)
  })
  assert.deepStrictEqual(
    decoded.flatMap((it) => (it._tag === "Retry" ? [it.millis] : [])),
    judged.retries
  )
  const comments = decoded.flatMap((it) => (it._tag === "Comment" ? [it.text.replace(/^ /, "")] : []))
  assert.deepStrictEqual(comments, judged.comments)
}

const lineEnd = fc.constantFrom("\n", "\r\n", "\r")

const fieldValue = fc.oneof(
  anyText.map((text) => text.replace(/[\r\n]/g, "")),
  fc.constantFrom("", " ", "  two spaces", "1500", "007", "-1", "1e3", " 5", "٣", "a\u0000b", "k3x9.7")
)

const wellFormed = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant("") },
      {
        weight: 6,
        arbitrary: fc
          .tuple(
            fc.constantFrom("data", "event", "id", "retry", "", "Data", "other"),
            fc.constantFrom(":", ": "),
            fieldValue
          )
          .map((parts) => parts.join(""))
      },
      { weight: 1, arbitrary: fc.constantFrom("data", "event", "id", "retry", "other") }
    ),
    { maxLength: 40, size: "max" }
  )
  .chain((lines) => fc.tuple(...lines.map((line) => lineEnd.map((end) => line + end))))
  .map((lines) => lines.join(""))

const garbage = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom(
          "\r",
          "\n",
          "\r\n",
          ":",
          " ",
          "\u0000",
          "data",
          "event",
          "id",
          "retry",
          "7",
          "\ufeff"
        )
      },
      { weight: 1, arbitrary: anyText }
    ),
    { maxLength: 60, size: "max" }
  )
  .map((parts) => parts.join(""))

const withoutMark = (text: string): string => text.replace(/^\ufeff+/, "")

describe("FrameDecoder", () => {
  it.prop(
    "decodes any lines of fields as WHATWG says and as eventsource-parser does, at random splits",
    { stream: wellFormed, at: cuts },
    ({ at, stream }) => {
      assert.deepStrictEqual(decode(cutText(stream, at)), whatwg(stream))
      assertAgreesWithJudge(cutText(withoutMark(stream), at))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "decodes any garbage as WHATWG says and as eventsource-parser does, at random splits",
    { stream: garbage, at: cuts },
    ({ at, stream }) => {
      assert.deepStrictEqual(decode(cutText(stream, at)), whatwg(stream))
      assertAgreesWithJudge(cutText(withoutMark(stream), at))
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "decodes a short stream alike at every split, and unit by unit",
    { stream: fc.oneof(wellFormed, garbage).map((text) => text.slice(0, 60)) },
    ({ stream }) => {
      const whole = whatwg(stream)
      for (let at = 0; at <= stream.length; at++) assert.deepStrictEqual(decode(cutText(stream, [at])), whole)
      assert.deepStrictEqual(decode(stream.split("")), whole)
    }
  )

  it.prop(
    "gives back what our encoder wrote, at random splits (S49)",
    { events: fc.array(fc.record({ name: fieldText, data: anyText }), { maxLength: 20, size: "max" }), at: cuts },
    ({ at, events }) => {
      const text = events.map(({ data, name }, index) => Frame.event("k3x9", index + 1, name, data)).join("")
      const wanted = events.map(({ data, name }, index) => event(name, asLines(data), `k3x9.${index + 1}`))
      assert.deepStrictEqual(decode(cutText(text, at)).decoded, wanted)
    }
  )

  it("takes CRLF between two chunks for one line end", () => {
    const { decoded } = decode(["data: a\r", "\ndata: b\r", "", "\n\r", "\n"])
    assert.deepStrictEqual(decoded, [event("message", "a\nb")])
  })

  it("takes CR at the end of a chunk and LF after another character for two", () => {
    const { decoded } = decode(["data: a\r", ":\n\n"])
    assert.deepStrictEqual(decoded, [{ _tag: "Comment", text: "" }, event("message", "a")])
  })

  it("gives an event that ends with CR at once, not only when the next byte comes", () => {
    // eventsource-parser waits here. WHATWG: CR ends a line; an LF that follows belongs to it, and only that can wait.
    const decoder = FrameDecoder.make()
    assert.lengthOf(decoder.feed("data: a\r\r"), 1)
    assert.lengthOf(read(["data: a\r\r"]).events, 0)
    assert.deepStrictEqual(decoder.feed("\ndata: b\n\n"), [event("message", "b")])
  })

  it("passes over one byte order mark, at the very beginning only", () => {
    const a = event("message", "a")
    assert.deepStrictEqual(decode(["\ufeffdata: a\n\n"]).decoded, [a])
    assert.deepStrictEqual(decode(["", "\ufeff", "data: a\n\n"]).decoded, [a])
    assert.deepStrictEqual(decode(["\ufeff\ufeffdata: b\n\ndata: a\n\n"]).decoded, [a])
    assert.deepStrictEqual(decode(["data: a\n\n", "\ufeffdata: b\n\n"]).decoded, [a])
  })

  it("reports each comment when its line is over, as a sign of life (S113)", () => {
    const decoder = FrameDecoder.make()
    assert.deepStrictEqual(decoder.feed(": heart"), [])
    assert.deepStrictEqual(decoder.feed("beat\n"), [{ _tag: "Comment", text: " heartbeat" }])
    assert.deepStrictEqual(decoder.feed("\n:\n"), [{ _tag: "Comment", text: "" }])
  })

  it("moves the last id at the end of a block, also of one that is only an id", () => {
    const decoder = FrameDecoder.make()
    assert.strictEqual(decoder.lastId(), "")
    assert.deepStrictEqual(decoder.feed("id: e.1\n"), [])
    assert.strictEqual(decoder.lastId(), "") // a stream that breaks here has not delivered the block
    assert.deepStrictEqual(decoder.feed("\n"), [])
    assert.strictEqual(decoder.lastId(), "e.1")
    assert.deepStrictEqual(decoder.feed("data: x\n\n"), [event("message", "x", "e.1")])
    decoder.feed("id: e.2\ndata: never finished")
    assert.strictEqual(decoder.lastId(), "e.1")
  })

  it("forgets the last id when an empty one comes, and ignores one with NUL", () => {
    assert.strictEqual(decode(["id: e.1\n\nid: e\u00002\n\n"]).lastId, "e.1")
    assert.strictEqual(decode(["id: e.1\n\nid:\n\n"]).lastId, "")
    assert.strictEqual(decode(["id: e.1\n\nid\n\n"]).lastId, "")
  })

  it("reports retry for ASCII digits only", () => {
    const { decoded } = decode([
      "retry: 1500\nretry:20\nretry: -1\nretry: 1e3\nretry:\nretry\nretry:  5\nretry: ٣\nretry: 5 \n"
    ])
    assert.deepStrictEqual(decoded, [
      { _tag: "Retry", millis: 1500 },
      { _tag: "Retry", millis: 20 }
    ])
  })

  it("gives an event for empty data and none for a name alone, which does not colour the next event", () => {
    assert.deepStrictEqual(decode(["event: a\ndata\n\nevent: b\n\ndata: x\n\n"]).decoded, [
      event("a", ""),
      event("message", "x")
    ])
  })
})
