import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Sluice from "./Sluice.ts"

describe("the tests' stream client", () => {
  it.scopedLive("tells whoever waits that the stream ended, and with what (S161)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.add("a", { data: "1" })
      const client = yield* sluice.watch("a", "from=start")
      const waiting = yield* Effect.fork(Effect.flip(client.find(({ data }) => data === "never")))
      yield* client.named("sluice.live")
      yield* sluice.call("/v1/sessions/a", { method: "DELETE" })
      assert.match((yield* Fiber.join(waiting)).received, /data: 1\n\n(?:.|\n)*sluice\.end/)
      assert.deepEqual(
        (yield* client.take(2)).map(({ name }) => name),
        ["sluice.hello", "message"]
      )
      assert.equal((yield* Effect.flip(client.take(100)))._tag, "StreamEnded")
    })
  )

  it.scopedLive("takes no byte while it is paused, and all of them afterwards (S161)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const client = yield* sluice.watch("a")
      const other = yield* sluice.watch("a")
      yield* client.named("sluice.live")
      yield* client.pause
      const before = client.bytes().length
      yield* sluice.add("a", { data: "1" })
      yield* other.find(({ data }) => data === "1")
      assert.equal(client.bytes().length, before)
      yield* client.resume
      yield* client.find(({ data }) => data === "1")
      assert.equal(client.bytes().toString(), client.text())
    })
  )

  it.scopedLive("does not come back by itself, and shows what is no stream as it is (S161)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const client = yield* sluice.watch("a")
      yield* client.named("sluice.live")
      yield* sluice.add("a", { data: "1" })
      yield* client.abort
      yield* client.ended
      yield* sluice.untilSession("a", ({ watchers }) => watchers === 0)
      const refused = yield* sluice.watch("a", "from=middle")
      assert.equal(refused.status, 400)
      assert.match((yield* refused.ended).text, /INVALID_REQUEST/)
    })
  )
})
