import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FrameDecoder from "../../src/protocol/FrameDecoder.ts"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"
import type { StreamEvent } from "../../src/testing/StreamClient.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"
import { dataOf, lives, own, reached } from "./Wrapped.ts"

describe("frames of a stream over several sessions", () => {
  it.scopedLive("wrap each event in one line, without id, and close each write with the ids of all (S51)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epochA = yield* sluice.fill("a", 2)
      const client = yield* sluice.stream("/v1/stream?session=a&session=b~:.x")
      yield* lives(client, 2)
      yield* client.until((text) => text.endsWith(".2_b-t-c-dx.0.0\n\n"))
      const opening = client.text()
      assert.equal(client.lastId(), `a.${epochA}.2_b-t-c-dx.0.0`)
      yield* sluice.add("a", { events: [{ name: "delta", data: "x\r\ny" }, { data: { n: 1 } }] })
      const { epoch: epochB } = yield* sluice.add("b~:.x", { name: "message", data: "z" })
      const id = `a.${epochA}.4_b-t-c-dx.${epochB}.1`
      const text = yield* client.until((received) => received.endsWith(`id: ${id}\n\n`))
      const at = own(client).map((event) => String(event["at"]))
      for (const time of at) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.equal(
        text.slice(opening.length),
        `data: {"session":"a","epoch":"${epochA}","seq":3,"name":"delta","data":"x\\r\\ny","at":"${at[0]}"}\n\n` +
          `data: {"session":"a","epoch":"${epochA}","seq":4,"name":"message","data":"{\\"n\\":1}","at":"${at[1]}"}\n\n` +
          `id: a.${epochA}.4_b-t-c-dx.0.0\n\n` +
          `data: {"session":"b~:.x","epoch":"${epochB}","seq":1,"name":"message","data":"z","at":"${at[2]}"}\n\n` +
          `id: ${id}\n\n`
      )
      assert.equal(VectorCursor.parse(client.lastId())?.size, 2)
    })
  )

  it.scopedLive("have the same content live and replayed, half a surrogate pair included (S49, S51)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const live = yield* sluice.stream("/v1/stream?session=a&session=b")
      yield* lives(live, 2)
      const events = ["a\r\nb", "\ud800", "\u2028", "", "data: x"].map((data) => ({ name: "n", data }))
      yield* sluice.add("a", { events })
      const replayed = yield* sluice.stream("/v1/stream?session=a&session=b&from=start")
      yield* lives(replayed, 2)
      yield* live.find(({ data }) => data.includes('"seq":5'))
      assert.deepEqual(own(live), own(replayed))
      assert.deepEqual(
        own(live).map(({ data }) => data),
        ["a\r\nb", "\ufffd", "\u2028", "", "data: x"]
      )
    })
  )
})

/** What a client has, that read `text` up to some byte. */
const readUpTo = (text: string) => {
  const decoder = FrameDecoder.make()
  const prefixes: Array<{
    readonly seen: ReadonlyArray<StreamEvent>
    readonly lastId: string
    readonly unclosed: number
  }> = []
  let seen: ReadonlyArray<StreamEvent> = []
  let closed = 0
  for (const char of text) {
    const before = decoder.lastId()
    const events = decoder
      .feed(char)
      .flatMap((frame) => (frame._tag === "Event" && frame.name === "message" ? [frame] : []))
    seen = [...seen, ...events]
    if (decoder.lastId() !== before) closed = seen.length
    prefixes.push({ seen, lastId: decoder.lastId(), unclosed: seen.length - closed })
  }
  return prefixes
}

const place = (event: Readonly<Record<string, unknown>>) => `${String(event["session"])} ${String(event["seq"])}`

describe("a stream over several sessions that breaks off", () => {
  it.scopedLive(
    "at any byte is continued by its last id: every event once, but for those of the broken write (S52)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const path = "/v1/stream?session=m1&session=m2&from=start"
        yield* sluice.fill("m1", 2)
        const whole = yield* sluice.stream(path)
        yield* lives(whole, 2)
        yield* sluice.add("m2", { events: Sluice.numbered(1, 3) })
        yield* sluice.add("m1", { events: Sluice.numbered(3, 2) })
        yield* sluice.add("m2", { data: "4" })
        const text = yield* reached(whole, { m1: 4, m2: 4 })
        const all = ["m1 1", "m1 2", "m1 3", "m1 4", "m2 1", "m2 2", "m2 3", "m2 4"]
        const prefixes = readUpTo(text)
        const continued = new Map<string, ReadonlyArray<string>>()
        for (const lastId of new Set(prefixes.map((prefix) => prefix.lastId))) {
          const client = yield* sluice.stream(path, lastId === "" ? {} : { "Last-Event-ID": lastId })
          yield* lives(client, 2)
          continued.set(lastId, own(client).map(place))
          assert.deepEqual(
            client.events().filter(({ name }) => name === "sluice.gap"),
            []
          )
        }
        assert.ok(continued.size >= 5)
        for (const { lastId, seen, unclosed } of prefixes) {
          const first = seen.map((event) => place(Call.json(event)))
          const second = continued.get(lastId) ?? []
          assert.deepEqual(Array.from(new Set([...first, ...second])).sort(), all)
          assert.deepEqual(
            new Set(first.slice(0, first.length - unclosed).filter((event) => second.includes(event))),
            new Set()
          )
        }
      })
  )

  it.scopedLive("resumes each session where it was, in its own order; when one ends the other goes on (S93)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("m1", 3)
      yield* sluice.fill("m2", 2)
      const path = "/v1/stream?session=m1&session=m2"
      const first = yield* sluice.stream(path)
      yield* lives(first, 2)
      yield* reached(first, { m1: 3, m2: 2 })
      yield* first.abort
      yield* sluice.add("m1", { events: Sluice.numbered(4, 3) })
      yield* sluice.add("m2", { events: Sluice.numbered(3, 2) })
      const second = yield* sluice.stream(path, { "Last-Event-ID": first.lastId() })
      yield* lives(second, 2)
      const of = (session: string) => dataOf(second, session)
      assert.deepEqual([of("m1"), of("m2")], [Sluice.range(4, 6), Sluice.range(3, 4)])
      yield* sluice.call("/v1/sessions/m1", { method: "DELETE" })
      const end = yield* second.named("sluice.end")
      assert.deepEqual(Call.json(end), { session: "m1", cursor: `${epoch}.6`, reason: "deleted" })
      yield* sluice.add("m2", { data: "5" })
      yield* reached(second, { m2: 5 })
      assert.deepEqual(of("m2"), Sluice.range(3, 5))
      assert.match(second.lastId(), /^m2\.[a-z0-9]+\.5$/)
    })
  )
})
