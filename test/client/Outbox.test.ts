import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Outbox from "../../src/client/core/Outbox.ts"

const message = (id: string): Outbox.Message => ({ id, session: "s", data: `"${id}"` })

const answered = (status: number, other: { code?: string; retryAfter?: number } = {}): Outbox.Answer => ({
  status,
  code: other.code,
  retryAfter: other.retryAfter ?? 0
})

const noAnswer = answered(0)

const add = (outbox: Outbox.Outbox, message: Outbox.Message) => Outbox.add(outbox, message) ?? assert.fail("full")

const filled = (count: number): Outbox.Outbox =>
  Array.from({ length: count }, (_, index) => message(`m${index}`)).reduce(add, Outbox.empty)

/** The outbox with its first message on the way. */
const posted = (outbox: Outbox.Outbox, now = 0) => {
  const next = Outbox.next(outbox, now)
  return typeof next === "object" ? { message: next, outbox: Outbox.posting(outbox) } : assert.fail(`it is ${next}`)
}

/** What happens to an outbox: a message is sent, a post begins, it is answered, time passes, the page is loaded anew. */
const fault = fc.oneof(
  fc.constant({ _tag: "Send" as const }),
  fc.constant({ _tag: "Post" as const }),
  fc.record({
    _tag: fc.constant("Answer" as const),
    status: fc.constantFrom(0, 202, 400, 401, 404, 408, 409, 413, 425, 429, 500, 503),
    isStale: fc.boolean(),
    random: fc.double({ min: 0, max: 0.999, noNaN: true })
  }),
  fc.record({ _tag: fc.constant("Wait" as const), millis: fc.nat(60_000) }),
  fc.constant({ _tag: "Reload" as const })
)

describe("Outbox", () => {
  it.prop(
    "accounts for every message: accepted, refused, failed and reported, or still queued; in order, one in flight (S120)",
    [fc.array(fault, { maxLength: 400 })],
    ([faults]) => {
      let outbox: Outbox.Outbox = Outbox.empty
      let now = 0
      let sent = 0
      let inFlight: string | undefined
      const settled: Array<string> = []
      const refused: Array<string> = []
      for (const happens of faults) {
        switch (happens._tag) {
          case "Send": {
            const id = `m${sent++}`
            const next = Outbox.add(outbox, message(id))
            if (next === undefined) refused.push(id)
            else outbox = next
            break
          }
          case "Post": {
            const next = Outbox.next(outbox, now)
            if (typeof next !== "object") break
            assert.isUndefined(inFlight)
            outbox = Outbox.posting(outbox)
            inFlight = next.id
            break
          }
          case "Answer": {
            if (inFlight === undefined) break
            const { isStale, random, status } = happens
            const answer = answered(status, isStale ? { code: "CONNECTION_NOT_FOUND" } : {})
            const [next, verdict] = Outbox.answer(outbox, answer, now, random)
            outbox = next
            if (verdict === "accepted" || verdict === "failed") settled.push(inFlight)
            else assert.strictEqual(outbox.messages[0]?.id, inFlight)
            inFlight = undefined
            break
          }
          case "Wait":
            now += happens.millis
            break
          case "Reload":
            outbox = outbox.messages.reduce(add, Outbox.empty)
            inFlight = undefined
        }
        assert.isAtMost(outbox.messages.length, Outbox.maxMessages)
      }
      const accounted = [...settled, ...outbox.messages.map(({ id }) => id)]
      const expected = Array.from({ length: sent }, (_, index) => `m${index}`).filter((id) => !refused.includes(id))
      assert.deepStrictEqual(accounted, expected)
    },
    { fastCheck: { numRuns: 300 } }
  )

  it.prop(
    "has each message stored at most once, in order, by a server that loses requests and answers (S118, S120)",
    [fc.integer({ min: 1, max: 20 }), fc.array(fc.constantFrom("heard", "unheard", "unanswered", "busy", "no"))],
    ([count, fates]) => {
      let outbox: Outbox.Outbox = filled(count)
      const log: Array<string> = []
      const told = new Map<string, Outbox.Verdict>()
      let now = 0
      for (const fate of [...fates, ...Array.from({ length: count }, () => "heard")]) {
        if (outbox.messages.length === 0) break
        now = Math.max(now, outbox.at)
        const { message, outbox: onTheWay } = posted(outbox, now)
        const isHeard = fate === "heard" || fate === "unanswered"
        if (isHeard && !log.includes(message.id)) log.push(message.id)
        const status = fate === "heard" ? 202 : fate === "busy" ? 503 : fate === "no" ? 409 : 0
        const [next, verdict] = Outbox.answer(onTheWay, answered(status), now, 0.5)
        if (verdict !== "again") told.set(message.id, verdict)
        outbox = next
      }
      const all = Array.from({ length: count }, (_, index) => `m${index}`)
      assert.deepStrictEqual(Array.from(told.keys()), all)
      assert.deepStrictEqual(
        log,
        all.filter((id) => log.includes(id))
      )
      for (const id of all) if (told.get(id) === "accepted") assert.include(log, id)
    }
  )

  it("sends ten messages in order, one at a time, though the first fails twice (S114)", () => {
    let outbox: Outbox.Outbox = filled(10)
    const order: Array<string> = []
    let now = 0
    for (const status of [503, 500, ...Array.from({ length: 10 }, () => 202)]) {
      const next = Outbox.next(outbox, now)
      if (typeof next === "number") now = next
      const post = posted(outbox, now)
      assert.isUndefined(Outbox.next(post.outbox, now))
      order.push(post.message.id)
      outbox = Outbox.answer(post.outbox, answered(status), now, 0.5)[0]
    }
    assert.deepStrictEqual(order, ["m0", "m0", ...Array.from({ length: 10 }, (_, index) => `m${index}`)])
    assert.deepStrictEqual(outbox, Outbox.empty)
  })

  it("posts at once over the next connection when the server did not know the first, and then later and later (S115)", () => {
    const stale = answered(404, { code: "CONNECTION_NOT_FOUND" })
    const [outbox, verdict] = Outbox.answer(posted(filled(1)).outbox, stale, 0, 0.9)
    assert.strictEqual(verdict, "stale")
    assert.strictEqual(posted(outbox).message.id, "m0")
    const [again] = Outbox.answer(posted(outbox).outbox, stale, 0, 0.9)
    assert.strictEqual(Outbox.next(again, 0), 900)
  })

  for (const [what, answer] of [
    ["no answer", noAnswer],
    ["408", answered(408)],
    ["425", answered(425)],
    ["429", answered(429)],
    ["503", answered(503)]
  ] as const) {
    it(`tries again after ${what}, later and later, and not for longer than half a minute (S116)`, () => {
      let outbox: Outbox.Outbox = filled(1)
      let now = 0
      for (let failures = 0; failures < 20; failures++) {
        const post = posted(outbox, now)
        const [next, verdict] = Outbox.answer(post.outbox, answer, now, 0.999)
        assert.strictEqual(verdict, "again")
        assert.isAtMost(next.at - now, Math.min(30_000, 500 * 2 ** failures))
        outbox = next
        now = next.at
      }
      assert.strictEqual(outbox.messages.length, 1)
    })
  }

  it("waits as long as the server asks", () => {
    const [outbox] = Outbox.answer(posted(filled(1)).outbox, answered(429, { retryAfter: 9000 }), 1000, 0)
    assert.strictEqual(Outbox.next(outbox, 1000), 10_000)
  })

  for (const status of [400, 401, 403, 404, 409, 413]) {
    it(`gives a message up at ${status}, and the next one goes (S116)`, () => {
      const [outbox, verdict] = Outbox.answer(posted(filled(2)).outbox, answered(status), 0, 0.5)
      assert.strictEqual(verdict, "failed")
      assert.strictEqual(posted(outbox).message.id, "m1")
    })
  }

  it("refuses what is above a hundred, and pushes none out (S117)", () => {
    let outbox: Outbox.Outbox = filled(100)
    for (let round = 0; round < 20; round++) {
      assert.isUndefined(Outbox.add(outbox, message(`new${round}`)))
      outbox = Outbox.answer(posted(outbox, outbox.at).outbox, noAnswer, outbox.at, 0.5)[0]
    }
    assert.deepStrictEqual(outbox.messages, filled(100).messages)
  })
})
