import * as assert from "node:assert/strict"
import { Effect, Option } from "effect"
import * as Frame from "../../protocol/Frame.ts"
import * as Batch from "../../store/Batch.ts"
import * as Frames from "../../store/Frames.ts"
import * as BatchFixture from "../BatchFixture.ts"
import { a, b, expectPage, fromTo, type Rule, rule, text } from "./Rule.ts"

const { frameText, numbered, ofNumbers, singles } = BatchFixture

const ofSize = (count: number, bytes: number) =>
  Array.from({ length: count }, () => ({ name: "n", data: "x".repeat(bytes) }))

export const pageContract: ReadonlyArray<Rule> = [
  rule("gives the frames as they were sent, as one page over several batches", (store) =>
    Effect.gen(function* () {
      const events = [
        { name: "a", data: "1\n2" },
        { name: "message", data: "" },
        { name: "ü", data: "😀" }
      ] as const
      yield* store.commit([BatchFixture.make("a", 1, events), ofNumbers("a", 4, 2)])
      const page = yield* expectPage(store, a, 0, 500, 1, 5)
      assert.equal(text(page), frameText(1, events) + frameText(4, numbered(4, 2)))
    })
  ),

  rule("frames a page as one HTTP chunk, as a live batch is", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 3), ofNumbers("a", 4, 3)])
      const page = yield* expectPage(store, a, 1, 3, 2, 4)
      assert.deepEqual(page.frames, Frames.fromText(frameText(2, numbered(2, 3))))
    })
  ),

  rule("has no page after the head, nor of an unknown session", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 3)])
      for (const after of [3, 4, 1000]) assert.deepEqual(yield* store.readPage(a, after, 10), Option.none())
      assert.deepEqual(yield* store.readPage(b, 0, 10), Option.none())
    })
  ),

  rule("begins and ends a page inside a batch", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 10), ofNumbers("a", 11, 10)])
      for (const [after, limit, last] of [
        [0, 1, 1],
        [4, 3, 7],
        [9, 1, 10],
        [8, 4, 12],
        [19, 9, 20],
        [0, 20, 20]
      ] as const) {
        const page = yield* expectPage(store, a, after, limit, after + 1, last)
        assert.equal(text(page), frameText(after + 1, numbered(after + 1, last - after)))
      }
    })
  ),

  rule("continues exactly where the page before ended, whatever the limit", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 7), ...singles("a", 8, 5), ofNumbers("a", 13, 11)])
      for (const limit of fromTo(1, 24)) {
        let read = ""
        for (let after = 0; after < 23; ) {
          const last = Math.min(after + limit, 23)
          const page = yield* expectPage(store, a, after, limit, after + 1, last)
          read += text(page)
          after = last
        }
        assert.equal(read, frameText(1, numbered(1, 23)))
      }
    })
  ),

  rule("holds at most 256 KiB in a page, and as many events as fit", (store) =>
    Effect.gen(function* () {
      const events = ofSize(6, 60_000)
      const frame = (seq: number) => Frame.event("e1", seq, "n", "x".repeat(60_000))
      assert.ok(frame(1).length * 4 <= Batch.maxBytes && frame(1).length * 5 > Batch.maxBytes)
      yield* store.commit([BatchFixture.make("a", 1, events.slice(0, 3)), BatchFixture.make("a", 4, events.slice(3))])
      yield* store.commit([BatchFixture.make("b", 1, events)])
      for (const session of [a, b]) {
        assert.equal(text(yield* expectPage(store, session, 0, 500, 1, 4)), [1, 2, 3, 4].map(frame).join(""))
        assert.equal(text(yield* expectPage(store, session, 4, 500, 5, 6)), [5, 6].map(frame).join(""))
        assert.equal(text(yield* expectPage(store, session, 1, 500, 2, 5)), [2, 3, 4, 5].map(frame).join(""))
      }
    })
  ),

  rule("gives an event that alone is above 256 KiB, by itself", (store) =>
    Effect.gen(function* () {
      const [large] = ofSize(1, Batch.maxBytes + 1)
      const small = { name: "n", data: "" }
      assert.ok(large)
      yield* store.commit([
        BatchFixture.make("a", 1, [small]),
        BatchFixture.make("a", 2, [large]),
        BatchFixture.make("a", 3, [small])
      ])
      yield* store.commit([BatchFixture.make("b", 1, [small, large, small])])
      for (const session of [a, b]) {
        yield* expectPage(store, session, 0, 500, 1, 1)
        const page = yield* expectPage(store, session, 1, 500, 2, 2)
        assert.equal(text(page), frameText(2, [large]))
        yield* expectPage(store, session, 2, 500, 3, 3)
      }
    })
  ),

  rule(
    "gives no event before the oldest one, even when its batch is still there, and tells the hole by `first`",
    (store) =>
      Effect.gen(function* () {
        yield* store.commit([ofNumbers("a", 1, 10), ofNumbers("a", 11, 10)])
        yield* store.trim(a, 6)
        assert.equal(text(yield* expectPage(store, a, 0, 3, 6, 8)), frameText(6, numbered(6, 3)))
        yield* expectPage(store, a, 5, 500, 6, 20)
        yield* expectPage(store, a, 7, 500, 8, 20)
        yield* store.trim(a, 11)
        yield* expectPage(store, a, 2, 500, 11, 20)
      })
  )
]
