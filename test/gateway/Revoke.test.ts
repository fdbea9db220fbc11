import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import * as Sluice from "../http/Sluice.ts"
import * as Gateway from "./Gateway.ts"

describe("POST /v1/revoke", () => {
  it.scopedLive("ends exactly the streams that watch a session, and tells client and backend (S46)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const sluice = Sluice.at(gateway.url)
      gateway.backend.onConnect(({ request }) =>
        Effect.succeed(
          request.url === "/sse/a" ? TestBackend.acceptWith({ watch: [{ session: "a" }] }) : TestBackend.accept
        )
      )
      const open = (path: string) => StreamClient.open(`${gateway.url}${path}`)
      const watching = yield* open("/v1/sessions/a/stream")
      const both = yield* open("/v1/stream?session=a&session=b")
      const other = yield* open("/v1/sessions/b/stream")
      const accepted = yield* gateway.accepted("/sse/a")
      const bystander = yield* gateway.accepted()
      yield* Effect.forEach([watching, both, other, accepted.client], (client) => client.named("sluice.live"))

      const answer = yield* sluice.post("/v1/revoke", { session: "a" })
      assert.deepEqual([answer.status, Call.json(answer)], [200, { connections: 3 }])
      for (const client of [watching, both, accepted.client]) {
        assert.equal(Call.json(yield* client.named("sluice.bye"))["reason"], "revoked")
        yield* client.ended
      }
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual([call?.token, call?.reason], [accepted.token, "revoked"])
      yield* gateway.say(bystander.token, "still here")
      yield* bystander.client.find(({ data }) => data === "still here")
      yield* sluice.post("/v1/sessions/b/events", { data: "still here" })
      yield* other.find(({ data }) => data === "still here")
    })
  )

  it.scopedLive("ends one stream by its token, and refuses what is neither (S46)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const sluice = Sluice.at(gateway.url)
      const [first, second] = [yield* gateway.accepted(), yield* gateway.accepted()]
      for (const body of [{}, { session: "a", token: first.token }, { subject: "u" }, { session: "a b" }, []]) {
        Call.assertError(yield* sluice.post("/v1/revoke", body), 400, "INVALID_REQUEST")
      }
      assert.deepEqual(Call.json(yield* sluice.post("/v1/revoke", { token: "nobody" })), { connections: 0 })
      assert.deepEqual(Call.json(yield* sluice.post("/v1/revoke", { token: first.token })), { connections: 1 })
      yield* first.client.ended
      yield* gateway.assertGone(first.token)
      yield* gateway.say(second.token, "still here")
    })
  )
})
