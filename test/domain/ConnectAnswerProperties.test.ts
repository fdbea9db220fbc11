import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck as fc } from "effect"
import * as ConnectAnswer from "../../src/domain/ConnectAnswer.ts"
import { nameProblem } from "../../src/domain/Event.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import { anyText, cursor, fieldText, sessionId } from "../protocol/Arbitraries.ts"
import { parse } from "./Answers.ts"

describe("any answer", () => {
  const likely = fc.record(
    {
      request_id: fc.oneof(anyText, fc.jsonValue()),
      watch: fc.oneof(
        fc.array(fc.record({ session: anyText, cursor: fc.jsonValue(), from: anyText }, { requiredKeys: [] })),
        fc.jsonValue()
      ),
      events: fc.oneof(
        fc.array(fc.record({ name: fc.oneof(anyText, fc.jsonValue()), data: fc.jsonValue() }, { requiredKeys: [] })),
        fc.jsonValue()
      ),
      expires_in: fc.oneof(fc.double(), fc.jsonValue())
    },
    { requiredKeys: [] }
  )

  const assertSound = ({ answer, ignored }: ConnectAnswer.Parsed) => {
    assert.isAtMost(answer.watch.length, 100)
    assert.isAtMost(answer.events.length, 100)
    assert.isAtMost(ignored.length, 11)
    for (const { name } of answer.events) assert.isUndefined(name === undefined ? undefined : nameProblem(name))
    if (answer.expiresIn !== undefined) assert.isTrue(Duration.lessThanOrEqualTo(answer.expiresIn, Duration.days(30)))
  }

  it.prop("is read without an error, and within its bounds: any text", { text: anyText }, ({ text }) => {
    assertSound(ConnectAnswer.parse(text))
  })

  it.prop("is read without an error, and within its bounds: any JSON", { body: fc.json() }, ({ body }) => {
    assertSound(ConnectAnswer.parse(body))
  })

  it.prop("is read without an error, and within its bounds: what nearly is one", { body: likely }, ({ body }) => {
    assertSound(parse(body))
  })

  const valid = fc.record({
    request_id: fieldText.map((text) => text.slice(0, 256)),
    watch: fc.uniqueArray(fc.record({ session: sessionId, cursor: cursor.map(Cursor.format) }), {
      selector: ({ session }) => session,
      maxLength: 20
    }),
    events: fc.array(fc.record({ name: fieldText, data: anyText }), { maxLength: 20 }),
    expires_in: fc.integer({ min: 1, max: 2_592_000 })
  })

  it.prop("that is well-formed binds what it says, all of it", { body: valid }, ({ body }) => {
    const { answer, ignored } = parse(body)
    const named = body.events.filter(({ name }) => nameProblem(name) === undefined)
    assert.strictEqual(ignored.length, Math.min(body.events.length - named.length, 11))
    assert.strictEqual(answer.requestId, body.request_id)
    assert.deepStrictEqual(
      answer.watch.map(({ position, session }) => ({
        session: `${session}`,
        cursor: position._tag === "At" ? Cursor.format(position.cursor) : ""
      })),
      body.watch
    )
    assert.deepStrictEqual(answer.events, named)
    assert.strictEqual(answer.expiresIn && Duration.toSeconds(answer.expiresIn), body.expires_in)
  })
})
