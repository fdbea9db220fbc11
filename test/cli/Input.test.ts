import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as EventBatch from "../../src/cli/EventBatch.ts"
import * as InputLines from "../../src/cli/InputLines.ts"
import { asUtf8, cuts } from "../protocol/Arbitraries.ts"

const plain: InputLines.Options = { ndjson: false, name: undefined, maxEventBytes: 100 }

/** Feeds bytes cut anywhere, also inside of a character. */
const read = (options: InputLines.Options, bytes: Buffer, at: ReadonlyArray<number> = []) => {
  const lines = InputLines.make(options)
  const places = [...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  const reads = places.map((end, index) => lines.feed(bytes.subarray(places[index - 1] ?? 0, end)))
  const all = [...reads, lines.end()]
  return {
    events: all.flatMap(({ events }) => events),
    problem: all.find(({ problem }) => problem !== undefined)?.problem
  }
}

const line = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/[\r\n]/.test(text))

describe("InputLines", () => {
  it.prop(
    "makes each line one event, wherever the input is cut",
    [fc.array(line), fc.constantFrom("\n", "\r\n"), fc.boolean(), cuts],
    ([lines, end, isClosed, at]) => {
      const text = lines.join(end) + (isClosed && lines.length > 0 ? end : "")
      const expected = isClosed || lines[lines.length - 1] !== "" ? lines : lines.slice(0, -1)
      const { events } = read(plain, Buffer.from(text), at)
      assert.deepEqual(
        events.map(({ json }): unknown => JSON.parse(json)),
        expected.map((data) => ({ data: asUtf8(data) }))
      )
      assert.deepEqual(
        events.map(({ line }) => line),
        expected.map((_, index) => index + 1)
      )
    }
  )

  it("gives what stands before a line that is too long, and its number, before the line has ended", () => {
    const { events, problem } = read(plain, Buffer.from(`a\nb\n${"ü".repeat(51)}`))
    assert.deepEqual(
      events.map(({ json }) => json),
      ['{"data":"a"}', '{"data":"b"}']
    )
    assert.equal(problem, "line 3 has more than 100 bytes")
    assert.equal(read(plain, Buffer.from(`${"ü".repeat(50)}\n`)).problem, undefined)
  })

  it("passes over empty lines of NDJSON, and counts them", () => {
    const { events, problem } = read({ ...plain, ndjson: true }, Buffer.from('\n{"data":1}\n\n{"data":\n'))
    assert.deepEqual(events, [{ line: 2, json: '{"data":1}' }])
    assert.match(problem ?? "", /^line 4 must be JSON/)
  })
})

const events = fc
  .array(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 60 })
  .map((texts) => texts.map((json, index) => ({ line: index + 1, json: JSON.stringify(json) })))
const limits = fc.record({ events: fc.integer({ min: 1, max: 10 }), bytes: fc.integer({ min: 1, max: 60 }) })

describe("EventBatch", () => {
  it.prop(
    "keeps every event in order, in batches within the limits; a larger event goes alone",
    [events, limits],
    ([all, limits]) => {
      let waiting: ReadonlyArray<EventBatch.EventBatch> = EventBatch.cut(all, { ...limits, events: 3 })
      const sent: Array<EventBatch.EventBatch> = []
      for (;;) {
        const next = EventBatch.gather(waiting, limits)
        if (next === undefined) break
        sent.push(next[0])
        waiting = next[1]
      }
      assert.equal(sent.map(({ body }) => body).join(""), all.map(({ json }) => `${json}\n`).join(""))
      assert.deepEqual(
        sent.flatMap(({ lines }) => lines),
        all.map(({ line }) => line)
      )
      for (const { body, bytes, lines } of sent) {
        assert.equal(bytes, Buffer.byteLength(body))
        assert.ok(lines.length <= Math.max(limits.events, 3))
        assert.ok(bytes <= limits.bytes || lines.length === 1)
      }
    }
  )
})
