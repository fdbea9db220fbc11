import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Redacted, Schedule, Scope, Stream } from "effect"
import type { Delivery } from "../../../src/client/effect/Delivery.ts"
import { SessionId } from "../../../src/domain/Session.ts"
import * as FaultyStore from "../../../src/testing/FaultyStore.ts"
import * as Call from "../../http/Call.ts"
import { sqlite } from "../../http/Engines.ts"
import * as Processes from "../../http/Processes.ts"
import * as Sluice from "../../http/Sluice.ts"
import { connect, dataOf, watched } from "./Watcher.ts"

const a = SessionId.make("a")
const b = SessionId.make("b")

const tags = (all: ReadonlyArray<Delivery>) => all.map(({ _tag }) => _tag)

const end = (sluice: Sluice.Sluice, session: string) =>
  sluice.call(`/v1/sessions/${session}/state`, {
    method: "PUT",
    body: JSON.stringify({ state: "ENDED" }),
    headers: { "Content-Type": "application/json" }
  })

describe("watch", () => {
  it.scopedLive("gives the events of several sessions, goes on when one ends, and ends with the last (S109)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 3)
      yield* sluice.fill("b", 2)
      const watcher = yield* watched(yield* connect(sluice.url), [a, b, a], { from: "start" })
      yield* watcher.events(a, 3)
      yield* watcher.events(b, 2)
      yield* end(sluice, "a")
      yield* watcher.until(({ _tag }) => _tag === "End")
      yield* sluice.add("b", { events: Sluice.numbered(3, 2) })
      yield* watcher.events(b, 4)
      yield* end(sluice, "b")
      yield* watcher.until(({ _tag }) => _tag === "End")
      yield* watcher.done
      const { all } = watcher
      assert.equal(all[0]?._tag, "Connected")
      assert.deepEqual(dataOf(all, b).slice(0, 4), Sluice.range(1, 4))
      assert.deepEqual(
        all.flatMap((delivery) => (delivery._tag === "End" ? [[delivery.session, delivery.reason]] : [])),
        [
          [a, "ended"],
          [b, "ended"]
        ]
      )
      assert.deepEqual(
        tags(all).filter((tag) => tag === "Gap" || tag === "Offline"),
        []
      )
    })
  )

  for (const [what, sessions] of [
    ["one session", a],
    ["several", [a, b]]
  ] as const) {
    it.scopedLive(`of ${what} comes back after a restart on the same file, to where it was (S111)`, () =>
      Effect.gen(function* () {
        const store = yield* sqlite
        const life = yield* Scope.make()
        const before = yield* Scope.extend(Sluice.make({ store }), life)
        yield* before.fill("a", 3)
        const watcher = yield* watched(yield* connect(before.url), sessions, { from: "start" })
        yield* watcher.events(a, 3)
        yield* Scope.close(life, Exit.void)
        yield* watcher.until(({ _tag }) => _tag === "Offline")
        const after = yield* Sluice.make({ store, listen: { port: Number(new URL(before.url).port) } })
        yield* after.add("a", { events: Sluice.numbered(4, 2) })
        yield* watcher.events(a, 5)
        assert.deepEqual(dataOf(watcher.all, a), Sluice.range(1, 5))
        assert.ok(!tags(watcher.all).includes("Gap"))
        const offline = watcher.all.find((delivery) => delivery._tag === "Offline")
        assert.match(offline?._tag === "Offline" ? offline.why : "", /goodbye \(shutdown\)/)
      })
    )
  }

  for (const sessions of [a, [a, b]] as const) {
    const what = typeof sessions === "string" ? "one session" : "several"
    it.scopedLive(
      `of ${what} fills a gap from history, in pages and before what follows; or only tells of it (S112)`,
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ connection: { replayCap: 2 } })
          const epoch = yield* sluice.fill("a", 2500)
          const client = yield* connect(sluice.url)
          const filled = yield* watched(client, sessions, { from: "start" })
          yield* filled.events(a, 2500)
          assert.deepEqual(dataOf(filled.all, a), Sluice.range(1, 2500))
          assert.ok(!tags(filled.all).includes("Gap"))

          const told = yield* watched(client, sessions, {
            cursors: new Map([["a", { epoch, seq: 2490 }]]),
            fillsGaps: false
          })
          yield* told.events(a, 2)
          assert.deepEqual(
            told.all.flatMap((delivery) => (delivery._tag === "Gap" ? [delivery] : [])),
            [{ _tag: "Gap", session: a, gap: { epoch, after: 2490, next: 2499, missed: 8, reason: "cap" } }]
          )
          assert.deepEqual(dataOf(told.all, a), ["2499", "2500"])
        })
    )
  }

  it.scopedLive("is over for who has all of an ended session, and refused without the key (S153)", () =>
    Effect.gen(function* () {
      const key = Redacted.make("s3cret")
      const sluice = yield* Sluice.make()
      const { epoch } = yield* sluice.add("a", { data: "1" })
      yield* end(sluice, "a")
      const watcher = yield* watched(yield* connect(sluice.url), a, { cursors: new Map([["a", { epoch, seq: 2 }]]) })
      yield* watcher.done
      yield* watcher.until(({ _tag }) => _tag === "End")
      assert.deepEqual(watcher.all, [{ _tag: "End", session: a, reason: "over" }])

      const guarded = yield* Sluice.make({ http: { apiKey: key } })
      const stranger = yield* watched(yield* connect(guarded.url), [a, b])
      const error = yield* Effect.flip(stranger.done)
      assert.deepEqual(error._tag === "Refused" && [error.status, error.code], [401, "UNAUTHORIZED"])
      const friend = yield* watched(yield* connect(guarded.url, { key }), [a, b])
      yield* friend.until(({ _tag }) => _tag === "Live")
    })
  )
})

describe("history", () => {
  it.scopedLive("gives a range in pages of one log, oldest first", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("a", 2500)
      const client = yield* connect(sluice.url)
      const pages = yield* Stream.runCollect(client.history(a, { after: 10, before: 2400 }))
      assert.deepEqual(
        Chunk.toReadonlyArray(pages).flatMap(({ events }) => events.map(({ data }) => data)),
        Sluice.range(11, 2399)
      )
      assert.deepEqual(Array.from(new Set(Array.from(pages, (page) => page.epoch))), [epoch])
      assert.equal(Chunk.size(yield* Stream.runCollect(client.history(a))), 3)
      assert.equal(Chunk.size(yield* Stream.runCollect(client.history(a, { after: 2500 }))), 0)
    })
  )

  it.scopedLive("does not go on in another log, and says when there is none", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 1500)
      const client = yield* connect(sluice.url)
      const anew = Effect.zipRight(sluice.call("/v1/sessions/a", { method: "DELETE" }), sluice.fill("a", 2000))
      const replaced = yield* Effect.flip(Stream.runForEach(client.history(a), () => anew))
      assert.equal(replaced._tag, "LogReplaced")
      const unknown = yield* Effect.flip(Stream.runDrain(client.history(b)))
      assert.deepEqual(unknown._tag === "Refused" && [unknown.status, unknown.code], [404, "SESSION_NOT_FOUND"])
    })
  )
})

describe("send", () => {
  it.scopedLive("is stored once, however often it was refused for now, and has one receipt (S115, S118, S121)", () =>
    Effect.gen(function* () {
      const { sluice, store } = yield* Sluice.makeFaulty()
      const client = yield* connect(sluice.url, { retries: Schedule.recurs(5) })
      store.next("commit", FaultyStore.fails("Unavailable"), { times: 2 })
      const receipt = yield* client.send(a, { id: "m", data: { text: "hi" } })
      assert.deepEqual(receipt, { id: "m", session: a, seq: 1, accepted: true })
      assert.equal(store.calls("commit").length, 3)
      assert.deepEqual(yield* client.send(a, { id: "m", data: { text: "hi" } }), receipt)
      const conflict = yield* Effect.flip(client.send(a, { id: "m", data: "other" }))
      assert.deepEqual(conflict._tag === "Refused" && [conflict.status, conflict.code], [409, "CONFLICT"])
      const answer = yield* sluice.call("/v1/sessions/a")
      assert.deepEqual(Call.pick(Call.json(answer), "head"), { head: 1 })
    })
  )
})

describe("who watches a session and writes to it", () => {
  it.scopedLive("owns it, until another does so (S115)", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make()
      yield* sluice.attach("a")
      const [one, other] = [yield* connect(sluice.url), yield* connect(sluice.url)]
      const watching = yield* watched(one, a)
      yield* watching.until(({ _tag }) => _tag === "Live")
      const friend = yield* watched(other, [a, b])
      yield* friend.until(({ _tag }) => _tag === "Live")
      yield* one.send(a, { id: "1", data: "mine" })
      yield* other.send(a, { id: "2", data: "no, mine" })
      yield* watching.until(({ _tag }) => _tag === "Owner")
      yield* one.interrupt(a)
      yield* friend.until(({ _tag }) => _tag === "Owner")
    })
  )
})

describe("interrupt and stop", () => {
  it.scopedLive("reach the process once, or say why not (S119)", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make()
      const child = yield* sluice.attach("a")
      const client = yield* connect(sluice.url)
      const { accepted, id } = yield* client.interrupt(a, { id: "m", data: "instead" })
      assert.deepEqual([accepted, id], [true, "m"])
      yield* child.hears("send m")
      yield* client.stop(a)
      yield* child.hears("close")
      assert.deepEqual(child.heard, ["start", "interrupt", "send m", "stop", "close"])
      for (const ask of [client.interrupt(b), client.stop(b)]) {
        const error = yield* Effect.flip(ask)
        assert.deepEqual(error._tag === "Refused" && [error.status, error.code], [404, "SESSION_NOT_FOUND"])
      }
    })
  )
})
