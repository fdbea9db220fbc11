import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc, Schema } from "effect"
import * as AppendBody from "../../src/domain/AppendBody.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

/** The documented shape, over JSON: what is absent there is absent. test/domain/ compares thousands; here is that it is what answers. */
const isDocumented = Schema.decodeUnknownEither(Schema.parseJson(AppendBody.AppendBody), { exact: true })

const anyName = fc.constantFrom<unknown>(undefined, "", "delta", "n".repeat(256), "n".repeat(257), 1, null, {})
const anyData = fc.constantFrom<unknown>(undefined, "", "text", 0, null, false, [], { a: [1] })
const anyEvent = fc.record({ name: anyName, data: anyData })
const anyBody = fc.oneof(
  anyEvent,
  fc.record({
    events: fc.oneof(
      fc.array(fc.oneof({ weight: 9, arbitrary: anyEvent }, fc.jsonValue()), { maxLength: 3 }),
      fc.jsonValue()
    )
  }),
  fc.jsonValue()
)

describe("the append route", () => {
  it.scopedLive("takes what its documented shape takes, and refuses the rest with 400", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const bodies = fc.sample(anyBody, 300).map((body) => JSON.stringify(body))
      const taken: Array<string> = []
      for (const body of bodies) {
        const answer = yield* sluice.append("a", body)
        if (Either.isRight(isDocumented(body))) {
          assert.equal(answer.status, 201, body)
          taken.push(body)
        } else Call.assertError(answer, 400, "INVALID_REQUEST")
      }
      assert.ok(taken.length > 30 && taken.length < 270, `one-sided: ${taken.length} of ${bodies.length}`)
      const events = taken.map((body) => Call.json({ text: body })["events"])
      const count = events.reduce((sum: number, list) => sum + (Array.isArray(list) ? list.length : 1), 0)
      assert.equal(Call.json(yield* sluice.call("/v1/sessions/a"))["head"], count)
    })
  )
})
