import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Frame from "../../src/protocol/Frame.ts"
import { anyText, asLines, asUtf8, c0, cuts, epoch, fieldText, seq, sessionId } from "./Arbitraries.ts"
import { cutBytes, read, readBytes } from "./StandardReader.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Sent {
  readonly name: string
  readonly data: string
}

const sent: fc.Arbitrary<Sent> = fc.record({
  name: fc.oneof(fieldText, fc.constantFrom("message", "delta")),
  data: anyText
})

const encode = (events: ReadonlyArray<Sent>, first = 1): ReadonlyArray<string> =>
  events.map(({ data, name }, index) => Frame.event("k3x9", first + index, name, data))

const expected = (events: ReadonlyArray<Sent>, first = 1) =>
  events.map(({ data, name }, index) => ({
    name: asUtf8(name),
    data: asLines(asUtf8(data)),
    id: `k3x9.${first + index}`
  }))

describe("an event of one session", () => {
  it("is its id, its name, a data line for each line and an empty line (S48)", () => {
    assert.strictEqual(
      Frame.event("k3x9", 7, "delta", "one\ntwo"),
      "id: k3x9.7\nevent: delta\ndata: one\ndata: two\n\n"
    )
  })

  it("has no event line when it is named message (S48)", () => {
    assert.strictEqual(Frame.event("k3x9", 7, "message", "one"), "id: k3x9.7\ndata: one\n\n")
  })

  const lines: ReadonlyArray<readonly [what: string, data: string, written: string, read: string]> = [
    ["CRLF", "a\r\nb", "data: a\ndata: b\n", "a\nb"],
    ["CR", "a\rb", "data: a\ndata: b\n", "a\nb"],
    ["LF", "a\nb", "data: a\ndata: b\n", "a\nb"],
    ["LF and then CR, which are two line ends", "a\n\rb", "data: a\ndata: \ndata: b\n", "a\n\nb"],
    ["blank lines", "\n\na\n\n", "data: \ndata: \ndata: a\ndata: \ndata: \n", "\n\na\n\n"],
    ["a leading space", " a\n b", "data:  a\ndata:  b\n", " a\n b"],
    ["a leading colon", ":a", "data: :a\n", ":a"],
    ["U+2028, which is no line end here", "a\u2028b", "data: a\u2028b\n", "a\u2028b"],
    ["NUL", "a\u0000b", "data: a\u0000b\n", "a\u0000b"],
    ["a lone surrogate", "a\ud800b", "data: a\ud800b\n", "a\ufffdb"],
    ["nothing", "", "data: \n", ""],
    [
      "what looks like a frame",
      "x\n\nid: 9\nevent: y\n",
      "data: x\ndata: \ndata: id: 9\ndata: event: y\ndata: \n",
      "x\n\nid: 9\nevent: y\n"
    ]
  ]
  for (const [what, data, written, comesBack] of lines) {
    it(`carries data with ${what} (S49)`, () => {
      const frame = Frame.event("k3x9", 1, "n", data)
      assert.strictEqual(frame, `id: k3x9.1\nevent: n\n${written}\n`)
      assert.deepStrictEqual(readBytes([utf8(frame)]).events, [{ name: "n", data: comesBack, id: "k3x9.1" }])
    })
  }

  it.prop(
    "comes back from a standard parser, once each and in order, wherever a chunk ends (S49, S50)",
    { events: fc.array(sent, { maxLength: 3, size: "max" }), first: fc.integer({ min: 1, max: 1000 }) },
    ({ events, first }) => {
      const bytes = utf8(encode(events, first).join(""))
      const wanted = expected(events, first)
      for (let at = 0; at <= bytes.length; at++) assert.deepStrictEqual(readBytes(cutBytes(bytes, [at])).events, wanted)
    },
    { fastCheck: { numRuns: 60 } }
  )

  it.prop(
    "comes back in long runs cut into many chunks (S49, S50)",
    { events: fc.array(sent, { minLength: 10, maxLength: 60, size: "max" }), at: cuts },
    ({ at, events }) => {
      const bytes = utf8(encode(events).join(""))
      assert.deepStrictEqual(readBytes(cutBytes(bytes, at)).events, expected(events))
    }
  )

  it.prop(
    "is exactly one frame: no name and no data can forge or swallow another (S50)",
    { events: fc.array(sent, { maxLength: 20, size: "max" }) },
    ({ events }) => {
      const text = encode(events).join("")
      assert.strictEqual(text.split("\n\n").length - 1, events.length)
      const { comments, events: come, retries } = read([text])
      assert.deepStrictEqual([come.length, comments, retries], [events.length, [], []])
    }
  )

  it.prop(
    "is told lossy exactly when UTF-8 and a standard parser give back other data",
    { data: anyText.map(asUtf8) },
    ({ data }) => {
      const [come] = readBytes([utf8(Frame.event("e", 1, "n", data))]).events
      assert.strictEqual(Frame.isLossy(data), come?.data !== data)
    }
  )
})

describe("a control character", () => {
  it.prop(
    "is refused in every name and every id, by the encoder itself (S50)",
    { before: anyText, control: c0, after: anyText },
    ({ after, before, control }) => {
      const unsafe = before + control + after
      assert.isFalse(Frame.isFieldSafe(unsafe))
      assert.throws(() => Frame.event("e", 1, unsafe, "x"), "a control character in the name of a frame")
      assert.throws(() => Frame.make({ event: unsafe, data: "x" }), "a control character in the name of a frame")
      assert.throws(() => Frame.make({ id: unsafe, data: "x" }), "a control character in the id of a frame")
      assert.throws(() => Frame.idOnly(unsafe), "a control character in the id of a frame")
    }
  )

  it("means all 32 of C0 and no other", () => {
    const refused = Array.from({ length: 0x10000 }, (_, code) => code).filter(
      (code) => !Frame.isFieldSafe(String.fromCharCode(code))
    )
    assert.deepStrictEqual(
      refused,
      Array.from({ length: 32 }, (_, code) => code)
    )
  })
})

describe("a frame of another kind", () => {
  it("has retry, id and event lines before its data, each only when it is given", () => {
    assert.strictEqual(
      Frame.make({ data: "x\ny", retry: 2000, id: "e.1", event: "n" }),
      "retry: 2000\nid: e.1\nevent: n\ndata: x\ndata: y\n\n"
    )
    assert.strictEqual(Frame.make({ data: "" }), "data: \n\n") // S22
    assert.strictEqual(Frame.make({ data: "x", retry: 0 }), "retry: 0\ndata: x\n\n")
    assert.strictEqual(Frame.make({ data: "x", event: "n" }), "event: n\ndata: x\n\n")
  })

  it("leaves out an empty id, which would make a browser forget its place", () => {
    assert.strictEqual(Frame.make({ data: "x", id: "" }), "data: x\n\n")
  })

  it.prop(
    "comes back from a standard parser at every split",
    {
      id: fc.option(fieldText, { nil: undefined }),
      event: fc.option(fieldText, { nil: undefined }),
      retry: fc.option(fc.nat(), { nil: undefined }),
      data: anyText
    },
    (frame) => {
      const bytes = utf8(Frame.make(frame))
      const id = frame.id === undefined ? undefined : asUtf8(frame.id)
      const event = { name: asUtf8(frame.event ?? "message"), data: asLines(asUtf8(frame.data)), id }
      const wanted = { events: [event], retries: frame.retry === undefined ? [] : [frame.retry], comments: [] }
      for (let at = 0; at <= bytes.length; at++) assert.deepStrictEqual(readBytes(cutBytes(bytes, [at])), wanted)
    }
  )

  it("may be an id alone, which is no event", () => {
    assert.strictEqual(Frame.idOnly("a.e.1_b.f.2"), "id: a.e.1_b.f.2\n\n")
    assert.deepStrictEqual(read([Frame.idOnly("a.e.1")]).events, [])
  })

  it("may be a heartbeat, which is a comment (S54)", () => {
    assert.strictEqual(Frame.heartbeat, ": heartbeat\n\n")
    assert.deepStrictEqual(read([Frame.heartbeat]), { events: [], retries: [], comments: ["heartbeat"] })
  })
})

describe("an event of a stream over several sessions", () => {
  it("is one line of JSON named message, without an id (S51)", () => {
    const event = {
      session: "s-1",
      epoch: "k3x9",
      seq: 7,
      name: "delta",
      data: "one\ntwo",
      at: "2026-01-02T03:04:05.678Z"
    }
    assert.strictEqual(
      Frame.wrapped(event),
      `data: {"session":"s-1","epoch":"k3x9","seq":7,"name":"delta","data":"one\\ntwo","at":"2026-01-02T03:04:05.678Z"}\n\n`
    )
  })

  it.prop(
    "gives the event back by JSON.parse, its line ends as they were (S51)",
    {
      event: fc.record({
        session: sessionId,
        epoch,
        seq,
        name: fieldText,
        data: anyText,
        at: fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
      })
    },
    ({ event }) => {
      const frame = Frame.wrapped(event)
      assert.match(frame, /^data: [^\r\n]*\n\n$/)
      const { events } = readBytes([utf8(frame)])
      assert.deepStrictEqual(
        events.map(({ id, name }) => ({ id, name })),
        [{ id: undefined, name: "message" }]
      )
      const body: unknown = JSON.parse(events[0]?.data ?? "")
      // The same event in a frame of its own session has U+FFFD for half a surrogate pair, so it must here too.
      assert.deepStrictEqual(body, { ...event, name: asUtf8(event.name), data: asUtf8(event.data) })
    }
  )
})

describe("offsetAfter", () => {
  it.prop(
    "finds where the frames after the first so many begin, as slicing by frames does",
    { events: fc.array(sent, { maxLength: 12, size: "max" }), several: fc.boolean() },
    ({ events, several }) => {
      const frames = several
        ? events.map(({ data, name }, at) => Frame.wrapped({ session: "s", epoch: "e", seq: at, name, data, at: "" }))
        : encode(events)
      const bytes = utf8(frames.join(""))
      for (let skip = 0; skip <= frames.length; skip++) {
        assert.strictEqual(Frame.offsetAfter(bytes, skip), utf8(frames.slice(0, skip).join("")).length)
      }
      assert.strictEqual(Frame.offsetAfter(bytes, frames.length + 1), bytes.length)
    }
  )
})
