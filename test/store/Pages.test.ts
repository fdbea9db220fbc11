import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Array, Effect, FastCheck, Layer, Option } from "effect"
import { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as BatchFixture from "../../src/testing/BatchFixture.ts"
import { all, text } from "../../src/testing/eventStore/Rule.ts"

const event = FastCheck.record({
  name: FastCheck.constantFrom("message", "tick", "ü"),
  data: FastCheck.oneof(
    FastCheck.string({ unit: "binary" }),
    FastCheck.array(FastCheck.constantFrom("\n", "\r", "data: ", "id: 1", " ", "x")).map((parts) => parts.join("")),
    FastCheck.integer({ min: 0, max: 100_000 }).map((length) => "x".repeat(length))
  )
})

const input = {
  batches: FastCheck.array(FastCheck.array(event, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 }),
  /** Where retention, and the reader, stand in the log. */
  trimmed: FastCheck.double({ min: 0, max: 1, noNaN: true }),
  from: FastCheck.double({ min: 0, max: 1, noNaN: true }),
  limits: FastCheck.array(FastCheck.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })
}

let run = 0

for (const [engine, layer] of [
  ["memory", MemoryStore.layer],
  ["sqlite", Layer.orDie(SqliteStore.layer({ filename: ":memory:", durability: "process" }))]
] as const) {
  describe(`EventStore (${engine})`, () => {
    it.layer(layer)((it) => {
      // promise 2
      it.effect.prop(
        "gives, page by page from any place and whatever the limits, every frame of the log once and in order",
        input,
        ({ batches, from, limits, trimmed }) =>
          Effect.gen(function* () {
            const store = yield* EventStore
            const name = `session-${run++}`
            const sent = batches.flat()
            for (const [index, events] of batches.entries()) {
              const first = batches.slice(0, index).flat().length + 1
              yield* store.commit([BatchFixture.make(name, first, events)])
            }
            const { session } = BatchFixture.ofNumbers(name, 1, 1)
            const oldest = 1 + Math.floor(trimmed * sent.length)
            yield* store.trim(session, oldest)

            const start = Math.floor(from * sent.length)
            const begin = Math.max(start + 1, oldest)
            let read = ""
            let after = start
            for (let turn = 0; after < sent.length; turn++) {
              const limit = limits[turn % limits.length] ?? 1
              const found = yield* store.readPage(session, after, limit)
              if (Option.isNone(found)) break
              const page = found.value
              assert.equal(page.first, Math.max(after + 1, oldest))
              assert.ok(page.last >= page.first && page.last - page.first < limit)
              read += text(page)
              after = page.last
            }
            // No diff of texts: while a counterexample shrinks, it would be made of some 100 KB each time.
            assert.ok(read === BatchFixture.frameText(begin, sent.slice(begin - 1)), "the pages are not the log")
            const events = yield* store.readEvents(session, { ...all, after: start })
            const expected = sent.slice(begin - 1)
            assert.deepEqual(
              events.map(({ data, name }) => ({ data, name })),
              Array.take(expected, events.length)
            )
            assert.ok(events.length > 0 || expected.length === 0)
          }),
        { fastCheck: { numRuns: 60 } }
      )
    })
  })
}
