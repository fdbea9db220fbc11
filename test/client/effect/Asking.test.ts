import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schedule, TestClock } from "effect"
import * as Retrying from "../../../src/client/effect/Retrying.ts"
import * as Scripted from "./Scripted.ts"

const { bodyOf, session } = Scripted
const message = { id: "m1", data: { text: "hi", n: [1, null] } }
const accepted = { id: "m1", session, seq: 1, accepted: true }
const receipt = () => Scripted.receipt("m1")
const says =
  (status: number, headers = {}) =>
  () =>
    new Response("", { status, headers })

describe("send", () => {
  it.effect("posts the same again after every failure that may pass, never before it was asked to (S116, S118)", () =>
    Effect.gen(function* () {
      const faults = [() => undefined, says(408), says(425), says(429, { "retry-after": "7" }), says(500), says(503)]
      const { asked, sluice } = yield* Scripted.client([...faults, receipt], { key: Redacted.make("k") })
      const sending = yield* Effect.fork(Effect.withRandom(sluice.send(session, message), Scripted.latest))
      for (const [index, wait] of [499, 999, 1999, 7000 + 3999, 7999, 15_999].entries()) {
        yield* TestClock.adjust(wait - 1)
        assert.equal(asked.length, index + 1)
        yield* TestClock.adjust(1)
        assert.equal(asked.length, index + 2)
      }
      assert.deepEqual(yield* Fiber.join(sending), accepted)
      for (const request of asked) {
        assert.deepEqual([request.method, request.url], ["POST", `${Scripted.url}/v1/sessions/s/messages`])
        assert.equal(bodyOf(request), JSON.stringify(message))
        assert.equal(request.headers["authorization"], "Bearer k")
        assert.match(request.headers["content-type"] ?? "", /^application\/json/)
      }
    })
  )

  it.effect("asks again after 30 seconds without an answer, its head or its end", () =>
    Effect.gen(function* () {
      const { asked, sluice } = yield* Scripted.client([() => Scripted.open('{"id":'), receipt])
      const sending = yield* Effect.fork(Effect.withRandom(sluice.send(session, message), Scripted.soonest))
      yield* TestClock.adjust(29_999)
      assert.equal(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.deepEqual(yield* Fiber.join(sending), accepted)
      assert.equal(asked.length, 2)
    })
  )

  for (const status of [301, 400, 401, 403, 404, 409, 413]) {
    it.effect(`is refused for good by ${status} (S116)`, () =>
      Effect.gen(function* () {
        const { asked, sluice } = yield* Scripted.client([
          () => Response.json({ error: { code: "CODE", message: "why", details: { field: "id" } } }, { status })
        ])
        const error = yield* Effect.flip(sluice.send(session, message))
        assert.deepEqual(error._tag === "Refused" && [error.status, error.code, error.message, error.field], [
          status,
          "CODE",
          "why",
          "id"
        ])
        assert.equal(asked.length, 1)
      })
    )
  }

  it.effect("waits as long as a policy of one's own says, but not less than the server asked for", () =>
    Effect.gen(function* () {
      const retries = Schedule.spaced("3 seconds")
      const faults = [says(503), says(503, { "retry-after": "7" })]
      const { asked, sluice } = yield* Scripted.client([...faults, receipt], { retries })
      const sending = yield* Effect.fork(sluice.send(session, message))
      for (const [index, wait] of [3000, 7000].entries()) {
        yield* TestClock.adjust(wait - 1)
        assert.equal(asked.length, index + 1)
        yield* TestClock.adjust(1)
        assert.equal(asked.length, index + 2)
      }
      assert.deepEqual(yield* Fiber.join(sending), accepted)
    })
  )

  it.effect("sends what its data was when it was called, whatever becomes of it", () =>
    Effect.gen(function* () {
      const data = ["first"]
      const { asked, sluice } = yield* Scripted.client([says(503), receipt])
      const sending = yield* Effect.fork(sluice.send(session, { id: "m1", data }))
      yield* Effect.yieldNow()
      data.push("second")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(sending)
      assert.deepEqual(asked.map(bodyOf), Array(2).fill('{"id":"m1","data":["first"]}'))
    })
  )

  it.effect("ends where a policy of one's own ends, with what was the matter", () =>
    Effect.gen(function* () {
      const retries = Schedule.intersect(Retrying.forever, Schedule.recurs(2))
      const { asked, sluice } = yield* Scripted.client([says(503), says(503), says(503), receipt], { retries })
      const sending = yield* Effect.fork(Effect.flip(sluice.send(session, message)))
      yield* TestClock.adjust("1 minute")
      const error = yield* Fiber.join(sending)
      assert.deepEqual(error._tag === "Unavailable" && error.why, "status 503")
      assert.equal(asked.length, 3)
    })
  )
})

for (const what of ["interrupt", "stop"] as const) {
  describe(what, () => {
    it.effect("is asked once, whatever comes of it (S119)", () =>
      Effect.gen(function* () {
        for (const [fault, tag] of [
          [() => undefined, "Unavailable"],
          [says(503), "Unavailable"],
          [says(409), "Refused"]
        ] as const) {
          const { asked, sluice } = yield* Scripted.client([fault, receipt])
          const error = yield* Effect.flip(sluice[what](session, message))
          assert.equal(error._tag, tag)
          yield* TestClock.adjust("1 hour")
          assert.equal(asked.length, 1)
        }
      })
    )

    it.effect("says what it is given, or nothing", () =>
      Effect.gen(function* () {
        const bare = () => Response.json({ session, seq: 2, accepted: true }, { status: 202 })
        const { asked, sluice } = yield* Scripted.client([receipt, bare])
        assert.deepEqual(yield* sluice[what](session, message), accepted)
        assert.deepEqual(yield* sluice[what](session), { session, seq: 2, accepted: true })
        assert.deepEqual(asked.map(bodyOf), [JSON.stringify({ message }), "{}"])
        assert.deepEqual(
          asked.map(({ url }) => url),
          [`${Scripted.url}/v1/sessions/s/${what}`, `${Scripted.url}/v1/sessions/s/${what}`]
        )
      })
    )
  })
}
