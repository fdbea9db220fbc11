import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Outbox from "../../src/client/core/Outbox.ts"

const message = (id: string): Outbox.Message => ({ id, session: "s", data: `"${id}"` })

const answered = (status: number, other: { code?: string; retryAfter?: number } = {}): Outbox.Answer => ({
  _tag: "Answered",
  status,
  code: other.code,
  retryAfter: other.retryAfter ?? 0,
  token: "t1"
})

const noAnswer: Outbox.Answer = { _tag: "NoAnswer" }

const filled = (count: number): Outbox.Outbox =>
  Array.from({ length: count }, (_, index) => message(`m${index}`)).reduce(
    (outbox, message) => Outbox.add(outbox, message) ?? assert.fail("full"),
    Outbox.empty
  )

const posted = (outbox: Outbox.Outbox, now = 0, token = "t1") => {
  const next = Outbox.next(outbox, now, token)
  return next._tag === "Post" ? next : assert.fail(`it is ${next._tag}`)
}

/** What happens to an outbox: a message is sent, a post begins, it is answered, time passes, the connection changes. */
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
  fc.constant({ _tag: "Reconnect" as const }),
  fc.constant({ _tag: "Offline" as const }),
  fc.constant({ _tag: "Reload" as const })
)

describe("Outbox", () => {
  it.prop(
    "accounts for every message: accepted, refused, failed and reported, or still queued; in order, one in flight (S120)",
    [fc.array(fault, { maxLength: 400 })],
    ([faults]) => {
      let outbox = Outbox.empty
      let now = 0
      let tokens = 1
      let token: string | undefined = "t1"
      let sent = 0
      let inFlight: { id: string; token: string } | undefined
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
            const next = Outbox.next(outbox, now, token)
            if (next._tag !== "Post") break
            assert.isUndefined(inFlight)
            outbox = next.outbox
            inFlight = { id: next.message.id, token: token ?? assert.fail("nothing is sent without a connection") }
            break
          }
          case "Answer": {
            if (inFlight === undefined) break
            const { isStale, random, status } = happens
            const code = isStale ? "CONNECTION_NOT_FOUND" : undefined
            const answer: Outbox.Answer =
              status === 0 ? noAnswer : { _tag: "Answered", status, code, retryAfter: 0, token: inFlight.token }
            const [next, verdict] = Outbox.answer(outbox, answer, now, random)
            outbox = next
            if (verdict !== "Again") settled.push(inFlight.id)
            else assert.strictEqual(outbox.messages[0]?.id, inFlight.id)
            inFlight = undefined
            break
          }
          case "Wait":
            now += happens.millis
            break
          case "Reconnect":
            token = `t${++tokens}`
            break
          case "Offline":
            token = undefined
            break
          case "Reload":
            outbox = Outbox.restore(outbox.messages)
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

  it("sends ten messages in order, one at a time, though the first fails twice (S114)", () => {
    let outbox = filled(10)
    const order: Array<string> = []
    let now = 0
    for (const status of [503, 500, ...Array.from({ length: 10 }, () => 202)]) {
      const next = Outbox.next(outbox, now, "t1")
      if (next._tag === "Wait") now = next.until
      const post = posted(outbox, now)
      assert.strictEqual(Outbox.next(post.outbox, now, "t1")._tag, "Idle")
      order.push(post.message.id)
      outbox = Outbox.answer(post.outbox, answered(status), now, 0.5)[0]
    }
    assert.deepStrictEqual(order, ["m0", "m0", ...Array.from({ length: 10 }, (_, index) => `m${index}`)])
    assert.deepStrictEqual(outbox, Outbox.empty)
  })

  it("waits for another connection when the server does not know this one any more, and then posts at once (S115)", () => {
    const [outbox, verdict] = Outbox.answer(
      posted(filled(1)).outbox,
      answered(404, { code: "CONNECTION_NOT_FOUND" }),
      0,
      0.9
    )
    assert.strictEqual(verdict, "Again")
    assert.strictEqual(Outbox.next(outbox, 1e9, "t1")._tag, "Idle")
    assert.strictEqual(posted(outbox, 0, "t2").message.id, "m0")
  })

  for (const [what, answer] of [
    ["no answer", noAnswer],
    ["408", answered(408)],
    ["425", answered(425)],
    ["429", answered(429)],
    ["503", answered(503)]
  ] as const) {
    it(`tries again after ${what}, later and later, and not for longer than half a minute (S116)`, () => {
      let outbox = filled(1)
      let now = 0
      for (let failures = 0; failures < 20; failures++) {
        const post = posted(outbox, now)
        const [next, verdict] = Outbox.answer(post.outbox, answer, now, 0.999)
        assert.strictEqual(verdict, "Again")
        assert.isAtMost(next.at - now, Math.min(30_000, 500 * 2 ** failures))
        outbox = next
        now = next.at
      }
      assert.strictEqual(outbox.messages.length, 1)
    })
  }

  it("waits as long as the server asks", () => {
    const [outbox] = Outbox.answer(posted(filled(1)).outbox, answered(429, { retryAfter: 9000 }), 1000, 0)
    assert.deepStrictEqual(Outbox.next(outbox, 1000, "t1"), { _tag: "Wait", until: 10_000 })
  })

  for (const status of [400, 401, 403, 404, 409, 413]) {
    it(`gives a message up at ${status}, and the next one goes (S116)`, () => {
      const [outbox, verdict] = Outbox.answer(posted(filled(2)).outbox, answered(status), 0, 0.5)
      assert.strictEqual(verdict, "Failed")
      assert.strictEqual(posted(outbox).message.id, "m1")
    })
  }

  it("refuses what is above a hundred, and pushes none out (S117)", () => {
    let outbox = filled(100)
    for (let round = 0; round < 20; round++) {
      assert.isUndefined(Outbox.add(outbox, message(`new${round}`)))
      outbox = Outbox.answer(posted(outbox, outbox.at).outbox, noAnswer, outbox.at, 0.5)[0]
    }
    assert.deepStrictEqual(outbox.messages, filled(100).messages)
  })

  it("takes the same id as the message that waits already (S118)", () => {
    const outbox = filled(2)
    assert.strictEqual(Outbox.add(outbox, message("m1")), outbox)
  })
})
