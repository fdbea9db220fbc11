import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import type { StoreError } from "../../src/domain/SessionError.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

/** The warnings that these failures cause are not this page's subject. */
const quiet = Logger.minimumLogLevel(LogLevel.None)

const faulty = Effect.provide(Sluice.makeFaulty(), quiet)

const writing = ["commit", "remove", "check"] as const
const reading = ["load", "list", "readPage", "readEvents", "receipt"] as const

/** Until the store heals. */
const failAlways = (
  store: FaultyStore.FaultyStore["Type"],
  steps: typeof writing | typeof reading,
  reason: StoreError["reason"]
) => {
  for (const step of steps) store.next(step, FaultyStore.fails(reason), { times: Number.POSITIVE_INFINITY })
}

const failures = [
  ["a full disk", "Full", 507, "STORE_FULL"],
  ["a store that cannot be written", "Unavailable", 503, "STORE_UNAVAILABLE"],
  ["a corrupt store", "Corrupt", 503, "STORE_UNAVAILABLE"]
] as const

describe("while the store fails", () => {
  for (const [says, reason, status, code] of failures) {
    it.scopedLive(
      `with ${says}, appends are ${status} ${code}, watchers see nothing, and it heals without a restart (S69)`,
      () =>
        Effect.gen(function* () {
          const { sluice, store } = yield* faulty
          yield* sluice.fill("a", 2)
          const client = yield* sluice.watch("a", "from=start")
          yield* client.named("sluice.live")
          const before = client.text()
          failAlways(store, writing, reason)
          for (const session of ["a", "new"]) {
            Call.assertError(yield* sluice.append(session, { data: "lost" }), status, code)
            Call.assertError(yield* sluice.append(session, { data: "lost" }, { "Idempotency-Key": "k" }), status, code)
          }
          Call.assertError(yield* sluice.call("/v1/sessions/a", { method: "DELETE" }), status, code)
          Call.assertError(yield* sluice.call("/v1/sessions/new"), 404, "SESSION_NOT_FOUND")
          // Reading goes on.
          assert.equal(Call.json(yield* sluice.call("/v1/sessions/a/events"))["head"], 2)
          const second = yield* sluice.watch("a", "from=start")
          yield* second.named("sluice.live")
          assert.deepEqual(Sluice.dataOf(second.events()), ["1", "2"])
          store.heal()
          const { first } = yield* sluice.add("a", { data: "3" })
          assert.equal(first, 3)
          assert.equal((yield* sluice.append("a", { data: "4" }, { "Idempotency-Key": "k" })).status, 201)
          yield* client.find(({ data }) => data === "4")
          assert.match(
            client.text().slice(before.length),
            /^id: [a-z0-9]+\.3\ndata: 3\n\nid: [a-z0-9]+\.4\ndata: 4\n\n$/
          )
          yield* second.find(({ data }) => data === "4")
          assert.deepEqual(Sluice.dataOf(second.events()), Sluice.range(1, 4))
        })
    )
  }

  it.scopedLive("all appends that wait for one commit fail with it, and none of them is seen later (S69)", () =>
    Effect.gen(function* () {
      const { sluice, store } = yield* faulty
      yield* sluice.fill("a", 1)
      failAlways(store, writing, "Full")
      const answers = yield* Effect.replicateEffect(sluice.append("a", { data: "lost" }), 20, { concurrency: 20 })
      for (const answer of answers) Call.assertError(answer, 507, "STORE_FULL")
      store.heal()
      const client = yield* sluice.watch("a", "from=start")
      yield* sluice.add("a", { data: "2" })
      yield* client.find(({ data }) => data === "2")
      assert.deepEqual(Sluice.dataOf(client.events()), ["1", "2"])
    })
  )

  it.scopedLive("a lock of another process is waited for: the producer only sees that it was stored", () =>
    Effect.gen(function* () {
      const { sluice, store } = yield* faulty
      store.next("commit", FaultyStore.fails("Busy"), { times: 3 })
      assert.equal((yield* sluice.add("a", { data: 1 })).first, 1)
    })
  )

  it.scopedLive(
    "requests that read are 503, and a stream says sluice.bye and ends: a browser never repeats a 503",
    () =>
      Effect.gen(function* () {
        const { sluice, store } = yield* faulty
        yield* sluice.fill("a", 1)
        failAlways(store, reading, "Unavailable")
        for (const path of ["/v1/sessions", "/v1/sessions/a", "/v1/sessions/a/events"]) {
          Call.assertError(yield* sluice.call(path), 503, "STORE_UNAVAILABLE")
        }
        Call.assertError(yield* sluice.append("unseen", { data: 1 }), 503, "STORE_UNAVAILABLE")
        const client = yield* sluice.watch("unseen")
        assert.equal(client.status, 200)
        assert.ok((yield* client.ended).isComplete)
        const [bye, ...more] = client.events()
        assert.ok(bye)
        assert.deepEqual([bye.name, Call.json(bye)["reason"], more], ["sluice.bye", "error", []])
        assert.match(client.text(), /^retry: \d+\n/)
        store.heal()
        assert.equal((yield* sluice.add("unseen", { data: 1 })).first, 1)
      })
  )
})

describe("readiness", () => {
  it.scopedLive(
    "is lost while the store cannot be written, and comes back with it; the process is alive throughout",
    () =>
      Effect.gen(function* () {
        const { sluice, store } = yield* faulty
        const ready = Effect.map(sluice.call("/readyz?for=sessions"), ({ status, text }) => [
          status,
          Call.json({ text })["status"]
        ])
        assert.deepEqual(yield* ready, [200, "ready"])
        failAlways(store, writing, "Full")
        assert.deepEqual(yield* ready, [503, "not_ready"])
        const { reasons } = Call.json(yield* sluice.call("/readyz?for=sessions"))
        assert.ok(Array.isArray(reasons) && reasons.length === 1)
        const alive = yield* sluice.call("/healthz")
        assert.deepEqual([alive.status, alive.text], [200, '{"status":"ok"}'])
        store.heal()
        assert.deepEqual(yield* ready, [200, "ready"])
      })
  )
})
