import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import * as Call from "./Call.ts"
import * as Engines from "./Engines.ts"
import * as Sluice from "./Sluice.ts"

for (const [engine, store] of Engines.engines) {
  describe(`what is removed (${engine})`, () => {
    it.scopedLive("by DELETE ends every stream with sluice.end, and the id begins another log at 1 (S68)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ store: yield* store })
        const epoch = yield* sluice.fill("a", 3)
        const live = yield* sluice.watch("a")
        yield* live.named("sluice.live")
        const replayed = yield* sluice.watch("a", "from=start")
        yield* replayed.named("sluice.live")
        const removed = yield* sluice.call("/v1/sessions/a", { method: "DELETE" })
        assert.deepEqual([removed.status, removed.text], [204, ""])
        for (const client of [live, replayed]) {
          const { isComplete } = yield* client.ended
          assert.ok(isComplete)
          const last = client.events()[client.events().length - 1]
          assert.ok(last)
          assert.equal(last.name, "sluice.end")
          assert.deepEqual(Call.json(last), { session: "a", cursor: `${epoch}.3`, reason: "deleted" })
        }
        for (const path of ["/v1/sessions/a", "/v1/sessions/a/events"]) {
          Call.assertError(yield* sluice.call(path), 404, "SESSION_NOT_FOUND")
        }
        Call.assertError(yield* sluice.call("/v1/sessions/a", { method: "DELETE" }), 404, "SESSION_NOT_FOUND")
        const anew = yield* sluice.add("a", { data: "new" })
        assert.deepEqual([anew.first, anew.last, anew.head], [1, 1, 1])
        assert.notEqual(anew.epoch, epoch)
        const after = yield* sluice.watch("a", "from=start")
        yield* after.named("sluice.live")
        assert.deepEqual(Sluice.dataOf(after.events()), ["new"])
      })
    )

    it.scopedLive(
      "beyond SLUICE_RETAIN_EVENTS is the oldest: 100 of 250 are kept and no number is given twice (S67)",
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store: yield* store, session: { retainEvents: 100 } })
          yield* sluice.fill("a", 250)
          const session = Call.json(yield* sluice.call("/v1/sessions/a"))
          assert.deepEqual(Call.pick(session, "oldest", "head"), { oldest: 151, head: 250 })
          const page = Call.json(yield* sluice.call("/v1/sessions/a/events?limit=1000"))
          assert.deepEqual(Call.pick(page, "oldest", "head"), { oldest: 151, head: 250 })
          assert.deepEqual(Array.isArray(page["events"]) && page["events"].length, 100)
          const client = yield* sluice.watch("a", "from=start")
          yield* client.named("sluice.live")
          assert.deepEqual(Sluice.dataOf(client.events()), Sluice.range(151, 250))
          assert.equal((yield* sluice.add("a", { data: "next" })).first, 251)
        })
    )

    it.scopedLive(
      "after SLUICE_RETAIN_SECONDS is everything older; the head stays and the next number follows it (S67)",
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store: yield* store, session: { retainFor: Duration.millis(100) } })
          yield* sluice.fill("a", 250)
          const session = Effect.map(sluice.call("/v1/sessions/a"), (answer) =>
            Call.pick(Call.json(answer), "oldest", "head")
          )
          const { head } = yield* Effect.repeat(session, {
            schedule: Schedule.spaced("20 millis"),
            until: ({ oldest }) => oldest === 251
          }).pipe(Effect.zipRight(session))
          assert.equal(head, 250)
          assert.deepEqual(Call.json(yield* sluice.call("/v1/sessions/a/events"))["events"], [])
          const { first } = yield* sluice.add("a", { data: "next" })
          assert.equal(first, 251)
        })
    )
  })
}

describe("on SQLite", () => {
  it.scopedLive(
    "a session's numbers go on after a restart, also when retention has taken all its events (S60, S67)",
    () =>
      Effect.gen(function* () {
        const store = yield* Engines.sqlite
        const before = yield* Effect.scoped(
          Effect.gen(function* () {
            const sluice = yield* Sluice.make({ store, session: { retainFor: Duration.millis(1) } })
            const epoch = yield* sluice.fill("a", 30)
            yield* sluice.fill("b", 5)
            const session = Effect.map(sluice.call("/v1/sessions/a"), (answer) => Call.json(answer))
            yield* Effect.repeat(session, {
              schedule: Schedule.spaced("20 millis"),
              until: ({ oldest }) => oldest === 31
            })
            return epoch
          })
        )
        const sluice = yield* Sluice.make({ store })
        const session = Call.json(yield* sluice.call("/v1/sessions/a"))
        assert.deepEqual(Call.pick(session, "epoch", "oldest", "head"), { epoch: before, oldest: 31, head: 30 })
        assert.equal((yield* sluice.add("a", { data: "next" })).first, 31)
      })
  )
})
