import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "./Call.ts"
import * as Engines from "./Engines.ts"
import * as Sluice from "./Sluice.ts"

const key = { "Idempotency-Key": "k" }

for (const [engine, store] of Engines.engines) {
  describe(`an Idempotency-Key (${engine})`, () => {
    it.scopedLive("gives the same body the first answer again, stored once; another body is a conflict (S63)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        yield* sluice.fill("a", 2)
        const first = yield* sluice.append("a", { events: Sluice.numbered(3, 2) }, key)
        assert.equal(first.status, 201)
        assert.equal(Sluice.appended(first).head, 4)
        yield* sluice.add("a", { data: "later" })
        const again = yield* sluice.append("a", { events: Sluice.numbered(3, 2) }, key)
        assert.deepEqual([again.status, again.text], [200, first.text])
        Call.assertError(yield* sluice.append("a", { events: Sluice.numbered(3, 1) }, key), 409, "CONFLICT")
        assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], 5)
      })
    )

    it.scopedLive("of 20 requests at once stores one and answers it to all (S63)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const answers = yield* Effect.replicateEffect(sluice.append("a", { data: "x" }, key), 20, { concurrency: 20 })
        assert.deepEqual(answers.map(({ status }) => status).sort(), [...Array.from({ length: 19 }, () => 200), 201])
        assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
        const bodies = ["x", "y", "x", "y"].map((data) => sluice.append("b", { data }, key))
        const mixed = yield* Effect.all(bodies, { concurrency: 4 })
        assert.deepEqual(mixed.map(({ status }) => status).sort(), [200, 201, 409, 409])
        assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], 1)
        assert.equal(Call.json(yield* sluice.call("/v1/sessions/b"))["head"], 1)
      })
    )

    it.scopedLive("belongs to its session's present log, and a refused append does not use it up (S63)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        yield* sluice.add("a", { data: 1 })
        const conditional = (head: number) =>
          sluice.append("a", { data: "x" }, { ...key, "If-Match": `"${epoch}.${head}"` })
        const { epoch } = yield* sluice.add("a", { data: 2 })
        Call.assertError(yield* conditional(1), 409, "CONFLICT")
        Call.assertError(yield* sluice.append("a", { name: "sluice.x", data: 1 }, key), 400, "INVALID_REQUEST")
        const first = yield* conditional(2)
        assert.equal(first.status, 201)
        // Its own append moved the head: the answer is repeated, not judged anew.
        const again = yield* conditional(2)
        assert.deepEqual([again.status, again.text], [200, first.text])
        assert.equal((yield* sluice.append("b", { data: "other" }, key)).status, 201)
        yield* sluice.call("/v1/sessions/a", { method: "DELETE" })
        assert.equal((yield* sluice.append("a", { data: "y" }, key)).status, 201)
      })
    )
  })
}

describe("an Idempotency-Key", () => {
  it.scopedLive("is remembered over a restart (S63)", () =>
    Effect.gen(function* () {
      const store = yield* Engines.sqlite
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store })
          yield* sluice.fill("a", 2)
          return yield* sluice.append("a", { events: Sluice.numbered(3, 2) }, key)
        })
      )
      assert.equal(first.status, 201)
      const sluice = yield* Sluice.make({ store })
      const again = yield* sluice.append("a", { events: Sluice.numbered(3, 2) }, key)
      assert.deepEqual([again.status, again.text], [200, first.text])
      Call.assertError(yield* sluice.append("a", { data: "other" }, key), 409, "CONFLICT")
      assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], 4)
    })
  )

  it.scopedLive("has 1 to 255 characters (contract §2)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const append = (value: string) => sluice.append("a", { data: 1 }, { "Idempotency-Key": value })
      for (const value of ["", "k".repeat(256)]) {
        assert.equal(Call.assertError(yield* append(value), 400, "INVALID_REQUEST")["field"], "Idempotency-Key")
      }
      for (const value of ["k", "k".repeat(255), "spaces and : punctuation"]) {
        assert.deepEqual([(yield* append(value)).status, (yield* append(value)).status], [201, 200])
      }
    })
  )
})
