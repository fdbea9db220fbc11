import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import * as Gateway from "./Gateway.ts"

describe("a hundred connects at once", () => {
  it.scopedLive("are a hundred tokens, each for its own stream alone, until that is closed (S4)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const all = yield* Effect.all(
        Array.from({ length: 100 }, () => gateway.accepted()),
        { concurrency: 100 }
      )
      assert.equal(new Set(all.map(({ token }) => token)).size, 100)
      for (const { token } of all) assert.match(token, Gateway.uuid)
      assert.deepEqual(new Set(yield* gateway.openTokens), new Set(all.map(({ token }) => token)))
      yield* Effect.forEach(all, ({ token }) => gateway.say(token, token), { concurrency: 20 })
      for (const { client, token } of all) {
        yield* client.take(1)
        assert.equal(client.text(), `data: ${token}\n\n`)
      }

      const leaving = [3, 50, 97].map((index) => all[index] ?? assert.fail())
      yield* Effect.forEach(leaving, ({ client }) => client.abort)
      yield* gateway.backend.disconnects(3)
      for (const { token } of leaving) yield* gateway.assertGone(token)
      const staying = all.filter((one) => !leaving.includes(one))
      for (const { client, token } of staying) {
        yield* gateway.say(token, "still here")
        yield* client.find(({ data }) => data === "still here")
      }
      yield* Effect.forEach(staying, ({ client }) => client.abort)
      const calls = yield* gateway.backend.disconnects(100)
      assert.equal(new Set(calls.map(({ token }) => token)).size, 100)
      assert.deepEqual(yield* gateway.connections, [])
    })
  )
})

describe("GET /v1/connections", () => {
  it.scopedLive("lists who is open with token and request id, so that a backend that restarts can go on (S142)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      assert.deepEqual(yield* gateway.connections, [])
      gateway.backend.onConnect(({ request }) =>
        Effect.succeed(
          request.url === "/sse/R1"
            ? TestBackend.acceptWith({ request_id: "R1", watch: [{ session: "s" }] })
            : TestBackend.accept
        )
      )
      const named = yield* gateway.accepted("/sse/R1")
      const other = yield* gateway.accepted("/sse/other")
      const session = yield* gateway.watch("s")
      yield* session.named("sluice.live").pipe(Effect.race(session.named("sluice.hello")))
      const list = yield* gateway.connections
      assert.equal(list.length, 3)
      const of = (token: string) =>
        list.find((entry) => entry["token"] === token) ?? assert.fail(`not listed: ${token}`)
      assert.ok(Object.values(of(named.token)).includes("R1"), JSON.stringify(of(named.token)))
      assert.ok(!Object.values(of(other.token)).includes("R1"), JSON.stringify(of(other.token)))
      // What a client said of itself (cookies, keys) is not for the list.
      assert.doesNotMatch(JSON.stringify(list), /headers|cookie/i)
      yield* gateway.mustSend({ request_id: "R1", event: { data: "again" } })
      yield* named.client.find(({ data }) => data === "again")
    })
  )

  it.scopedLive("has no connection whose callback still runs or was refused (S4, S9)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const during: Array<number> = []
      gateway.backend.onConnect(() =>
        Effect.map(gateway.connections, ({ length }) => {
          during.push(length)
          return TestBackend.answer(403)
        })
      )
      assert.equal((yield* gateway.call("/sse/x")).status, 403)
      assert.deepEqual(during, [0])
      assert.deepEqual(yield* gateway.connections, [])
    })
  )

  it.scopedLive("needs the key when there is one (S153)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ http: { apiKey: Redacted.make("key") } })
      const { token } = yield* gateway.accepted()
      Call.assertError(yield* gateway.call("/v1/connections"), 401, "UNAUTHORIZED")
      Call.assertError(yield* gateway.call(`/v1/connections/${token}`, { method: "DELETE" }), 401, "UNAUTHORIZED")
      const headers = { Authorization: "Bearer key" }
      assert.equal((yield* gateway.call("/v1/connections", { headers })).status, 200)
      assert.equal((yield* gateway.send({ token }, headers)).status, 200)
    })
  )
})

describe("DELETE /v1/connections/:token", () => {
  it.scopedLive("ends the stream, and the backend hears server_closed once; then the token is unknown (S154)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const remove = (token: string) => gateway.call(`/v1/connections/${token}`, { method: "DELETE" })
      const { client, token } = yield* gateway.accepted()
      const other = yield* gateway.accepted()
      yield* gateway.say(token, "before")
      assert.equal((yield* remove(token)).status, 204)
      const { isComplete, text } = yield* client.ended
      assert.deepEqual([isComplete, text], [true, "data: before\n\n"])
      yield* gateway.assertGone(token)
      Call.assertError(yield* remove(token), 404, "CONNECTION_NOT_FOUND")
      Call.assertError(yield* remove("none"), 404, "CONNECTION_NOT_FOUND")
      assert.deepEqual(yield* gateway.openTokens, [other.token])
      yield* gateway.backend.disconnects(1)
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
        { token, reason: "server_closed" }
      ])
    })
  )

  it.scopedLive("ends a stream of sessions too, with a goodbye, and no backend hears of it (S154)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const client = yield* gateway.watch("s")
      const hello = yield* client.named("sluice.hello")
      const token = String(Call.json(hello)["token"])
      assert.equal((yield* gateway.call(`/v1/connections/${token}`, { method: "DELETE" })).status, 204)
      const { isComplete } = yield* client.ended
      assert.ok(isComplete, "cut off")
      const bye = yield* client.named("sluice.bye")
      assert.equal(Call.json(bye)["reason"], "server_closed")
      assert.deepEqual(yield* gateway.callsAfterAnother, [])
    })
  )
})
