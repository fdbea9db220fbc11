import * as assert from "node:assert/strict"
import { Effect } from "effect"
import * as BatchFixture from "../BatchFixture.ts"
import { a, all, b, fromTo, type Rule, rule, seqs } from "./Rule.ts"

const { ofNumbers, singles } = BatchFixture

const mebibyte = (count: number) => Array.from({ length: count }, () => ({ name: "n", data: "ü".repeat(524_288) }))

export const historyContract: ReadonlyArray<Rule> = [
  rule("gives events with their number, name, data and time of commit", (store) =>
    Effect.gen(function* () {
      const at = Date.UTC(2026, 4, 3, 10, 20, 30, 45)
      yield* store.commit([BatchFixture.make("a", 1, [{ name: "tick", data: '{"n":1}' }], { at })])
      const event = { seq: 1, name: "tick", data: '{"n":1}', at: "2026-05-03T10:20:30.045Z" }
      assert.deepEqual(yield* store.readEvents(a, all), [event])
    })
  ),

  rule("reads in both orders between exclusive bounds, over the edges of batches", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 4), ofNumbers("a", 5, 1), ofNumbers("a", 6, 5)])
      for (const after of fromTo(0, 11)) {
        for (const before of [...fromTo(1, 12), 1000]) {
          const expected = fromTo(1, 10).filter((seq) => seq > after && seq < before)
          assert.deepEqual(yield* seqs(store, a, { after, before }), expected)
          assert.deepEqual(yield* seqs(store, a, { after, before, order: "desc" }), expected.reverse())
        }
      }
    })
  ),

  rule("gives at most `limit` events, from the end that the order begins with", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 4), ...singles("a", 5, 6)])
      assert.deepEqual(yield* seqs(store, a, { limit: 1 }), [1])
      assert.deepEqual(yield* seqs(store, a, { after: 2, limit: 5 }), fromTo(3, 7))
      assert.deepEqual(yield* seqs(store, a, { limit: 3, order: "desc" }), [10, 9, 8])
      assert.deepEqual(yield* seqs(store, a, { before: 6, limit: 3, order: "desc" }), [5, 4, 3])
    })
  ),

  rule("has no events of an unknown session", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 1)])
      assert.deepEqual(yield* store.readEvents(b, all), [])
    })
  ),

  rule("gives no event before the oldest one in either order", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 5), ofNumbers("a", 6, 5)])
      yield* store.trim(a, 4)
      assert.deepEqual(yield* seqs(store, a), fromTo(4, 10))
      assert.deepEqual(yield* seqs(store, a, { before: 6, order: "desc" }), [5, 4])
    })
  ),

  rule("gives at most 4 MiB of data in UTF-8 at once", (store) =>
    Effect.gen(function* () {
      yield* store.commit([BatchFixture.make("a", 1, mebibyte(3)), BatchFixture.make("a", 4, mebibyte(3))])
      assert.deepEqual(yield* seqs(store, a), fromTo(1, 4))
      assert.deepEqual(yield* seqs(store, a, { order: "desc" }), [6, 5, 4, 3])
    })
  ),

  rule("gives an event that alone is above 4 MiB", (store) =>
    Effect.gen(function* () {
      const large = { name: "n", data: "x".repeat(4_194_305) }
      yield* store.commit([BatchFixture.make("a", 1, [large]), ofNumbers("a", 2, 1)])
      assert.deepEqual(yield* seqs(store, a), [1])
      assert.deepEqual(yield* seqs(store, a, { order: "desc" }), [2])
    })
  ),

  rule(
    "gives data exactly as sent: line ends, leading spaces, nothing at all, NUL, BOM and every plane of Unicode",
    (store) =>
      Effect.gen(function* () {
        const texts = [
          "",
          " ",
          "  two",
          "\n",
          "\n\n",
          "a\nb\n",
          "\r",
          "\r\n",
          "\n\r",
          "a\rb\r\nc\nd\r",
          "no CR",
          "data: x",
          ": y",
          "id: 3\n\n",
          "\u0000",
          "\ufeffbom",
          "\u2028\u2029\u0085",
          "é e\u0301 日本語 😀",
          '{"a":[1,2]}'
        ]
        const events = texts.map((data) => ({ name: "message", data }))
        yield* store.commit([BatchFixture.make("a", 1, events)])
        assert.deepEqual(
          (yield* store.readEvents(a, all)).map(({ data }) => data),
          texts
        )
        const [last] = yield* store.readEvents(a, { ...all, order: "desc", limit: 1 })
        assert.equal(last?.data, texts.at(-1))
      })
  ),

  rule("gives a lone surrogate as U+FFFD, with and without a CR beside it", (store) =>
    Effect.gen(function* () {
      const events = ["a\ud800b", "\udc00", "\ud800\r"].map((data) => ({ name: "message", data }))
      yield* store.commit([BatchFixture.make("a", 1, events)])
      assert.deepEqual(
        (yield* store.readEvents(a, all)).map(({ data }) => data),
        ["a\ufffdb", "\ufffd", "\ufffd\r"]
      )
    })
  ),

  rule("gives names exactly as sent", (store) =>
    Effect.gen(function* () {
      const names = ["message", "a.b:c", " led by a space", "ünï😀", "data", "x".repeat(256)]
      yield* store.commit([
        BatchFixture.make(
          "a",
          1,
          names.map((name) => ({ name, data: name }))
        )
      ])
      assert.deepEqual(
        (yield* store.readEvents(a, all)).map(({ name }) => name),
        names
      )
    })
  )
]
