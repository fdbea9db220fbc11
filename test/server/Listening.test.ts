import * as assert from "node:assert/strict"
import { describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ListenError } from "../../src/server/Listening.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import * as Call from "../http/Call.ts"
import * as Sluice from "../http/Sluice.ts"

describe("a server", () => {
  it.scopedLive("that finds its port taken fails with a line that names it", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer.make()
      const port = Number(new URL(url).port)
      const error = yield* Effect.flip(TestServer.make({ listen: { port } }))
      assert.ok(error instanceof ListenError)
      assert.match(error.message, new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`))
    })
  )

  it.scopedLive("shares nothing with another one in the same process (S157)", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* Sluice.make(), yield* Sluice.make()]
      assert.notEqual(one.url, two.url)
      const client = yield* two.watch("a")
      yield* client.named("sluice.live")
      yield* one.add("a", { data: "of one" })
      Call.assertError(yield* two.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
      yield* two.add("a", { data: "of two" })
      yield* client.find(({ data }) => data === "of two")
      assert.deepEqual(Sluice.dataOf(client.events()), ["of two"])
    })
  )

  it.scopedLive("that has stopped accepts no connection", () =>
    Effect.gen(function* () {
      const { url } = yield* Effect.scoped(TestServer.make())
      const error = yield* Effect.flip(Sluice.at(url).watch("a"))
      assert.equal(error._tag, "StreamNotOpened")
    })
  )
})

// Without the tests' services: sockets need real time.
layer(TestServer.layer(), { excludeTestServices: true })("a server for tests", (it) => {
  it.effect("is given as a layer, too (S161)", () =>
    Effect.gen(function* () {
      const { url } = yield* TestServer.TestServer
      assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
      assert.equal((yield* Sluice.at(url).call("/healthz")).status, 200)
    })
  )
})
