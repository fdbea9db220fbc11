import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

describe("over SLUICE_MAX_CONNECTIONS", () => {
  for (const path of ["/v1/sessions/a/stream", "/v1/stream?session=a&session=b"]) {
    it.scopedLive(`${path} is a 200 that says when to come back, and ends: a browser never retries a 503`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ connection: { maxConnections: 2 } })
        const open = yield* Effect.replicateEffect(sluice.watch("a"), 2)
        yield* Effect.forEach(open, (client) => client.named("sluice.live"))
        const retries = new Set<number>()
        for (let count = 0; count < 5; count++) {
          const third = yield* sluice.stream(path)
          const { isComplete, text } = yield* third.ended
          assert.ok(isComplete)
          assert.deepEqual([third.status, third.headers["content-type"]], [200, "text/event-stream"])
          const [bye, ...more] = third.events()
          assert.ok(bye)
          assert.deepEqual([bye.name, more], ["sluice.bye", []])
          const { reason, retry } = Call.json(bye)
          assert.equal(reason, "overload")
          assert.ok(typeof retry === "number" && retry >= 1000)
          assert.ok(text.startsWith(`retry: ${retry}\n`))
          retries.add(retry)
        }
        assert.ok(retries.size > 1, "they must not all come back at once")
        // Everything else is served, and a place that was left is taken.
        assert.equal((yield* sluice.append("a", { data: 1 })).status, 201)
        yield* Effect.forEach(open, (client) => client.find(({ data }) => data === "1"))
        yield* open[0]?.abort ?? Effect.void
        yield* sluice.untilSession("a", ({ watchers }) => watchers === 1)
        const next = yield* sluice.watch("a")
        yield* next.named("sluice.live")
      })
    )
  }
})
