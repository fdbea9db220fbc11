import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import * as Gateway from "./Gateway.ts"

const assertOverloaded = (answer: Call.Answer) => {
  Call.assertError(answer, 503, "OVERLOADED")
  assert.match(answer.headers["retry-after"] ?? "", /^\d+$/)
}

/** Sends until it is refused, at most `limit` times: how many were taken, and the refusal. */
const sendUntilRefused = (gateway: Gateway.Gateway, token: string, limit: number, data: (index: number) => string) =>
  Effect.gen(function* () {
    for (let taken = 0; taken < limit; taken++) {
      const answer = yield* gateway.send({ token, event: { data: data(taken) } })
      if (answer.status !== 200) return { taken, answer }
    }
    return assert.fail(`all ${limit} were taken`)
  })

describe("the window of a callback", () => {
  for (const [what, expected, data] of [
    ["100 events", 100, (index: number) => String(index)],
    ["256 KiB", 5, (index: number) => String(index).repeat(50_000)]
  ] as const) {
    it.scopedLive(`keeps ${what}; one more is 503, and what was kept is sent (S29)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const answers: Array<{ readonly taken: number; readonly answer: Call.Answer }> = []
        gateway.backend.onConnect(({ token }) =>
          Effect.map(sendUntilRefused(gateway, token, 1000, data), (refused) => {
            answers.push(refused)
            return TestBackend.accept
          })
        )
        const { client, token } = yield* gateway.accepted()
        const [refused] = answers
        assert.ok(refused)
        assertOverloaded(refused.answer)
        assert.equal(refused.taken, expected)
        yield* gateway.mustSend({ token, close: true })
        const { text } = yield* client.ended
        const kept = Array.from({ length: expected }, (_, index) => `data: ${data(index)}\n\n`)
        assert.equal(text, kept.join(""))
      })
    )
  }
})

describe("a client that does not read", () => {
  const size = 32_768
  const numbered = (index: number) => `${index} `.padEnd(size, "x")

  it.scopedLive(
    "costs its bound: then a send to it is 503, no other stream waits, and what was taken comes (S29)",
    () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const slow = yield* gateway.accepted()
        const other = yield* gateway.accepted()
        yield* slow.client.pause
        const { answer, taken } = yield* sendUntilRefused(gateway, slow.token, 1000, numbered)
        assertOverloaded(answer)
        // The queue's 1 MiB, and what the system's own buffers hold.
        assert.ok(taken >= 32 && taken * size < 24 * 1_048_576, `${taken} were taken`)

        yield* gateway.say(other.token, "to the other")
        yield* other.client.find(({ data }) => data === "to the other")
        // One that is full does not spoil a send to all.
        const toAll = yield* gateway.send({ request_id: null, event: { data: numbered(-1) } })
        assert.equal(toAll.status, 200, toAll.text)
        yield* other.client.find(({ data }) => data.startsWith("-1 "))
        // It lives.
        yield* gateway.mustSend({ token: slow.token })

        yield* slow.client.resume
        yield* slow.client.find(({ data }) => data.startsWith(`${taken - 1} `))
        yield* gateway.mustSend({ token: slow.token, event: { data: "read again" }, close: true })
        const { isComplete } = yield* slow.client.ended
        assert.ok(isComplete, "cut off")
        // The system's buffers may have grown meanwhile and let in the one to all, at its place.
        const received = slow.client.events().filter(({ data }, index) => index !== taken || !data.startsWith("-1 "))
        assert.deepEqual(
          received.map(({ data }) => data),
          [...Array.from({ length: taken }, (_, index) => numbered(index)), "read again"]
        )
      })
  )

  it.scopedLive("nor takes a byte for SLUICE_STALL_SECONDS is closed as slow_consumer (S43)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ connection: { stall: Duration.seconds(1) } })
      const slow = yield* gateway.accepted()
      yield* slow.client.pause
      yield* sendUntilRefused(gateway, slow.token, 1000, numbered)
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual([call?.token, call?.reason], [slow.token, "slow_consumer"])
      yield* gateway.assertGone(slow.token)
      yield* slow.client.resume
      assert.ok(!(yield* slow.client.ended).isComplete)
      assert.equal(Gateway.told(yield* gateway.callsAfterAnother, "disconnect").length, 1)
    })
  )

  it.scopedLive("is closed by a send of close at once, however much waits for it (S29)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const slow = yield* gateway.accepted()
      yield* slow.client.pause
      yield* sendUntilRefused(gateway, slow.token, 1000, numbered)
      yield* gateway.mustSend({ token: slow.token, close: true })
      yield* gateway.assertGone(slow.token)
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual([call?.token, call?.reason], [slow.token, "server_closed"])
    })
  )
})
