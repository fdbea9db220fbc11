import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"
import { dataOf, live, lives, own, token } from "./Wrapped.ts"

const watching = (answer: Call.Answer) => {
  assert.equal(answer.status, 200, answer.text)
  return Call.json(answer)["watching"]
}

/** A stream over `w1` and its token. */
const overW1 = (sluice: Sluice.Sluice) =>
  Effect.gen(function* () {
    const client = yield* sluice.stream("/v1/stream?session=w1")
    yield* lives(client, 1)
    const path = `/v1/connections/${yield* token(client)}`
    const watch = (...sessions: ReadonlyArray<unknown>) => sluice.post(`${path}/watch`, { sessions })
    const unwatch = (...ids: ReadonlyArray<string>) =>
      sluice.post(`${path}/unwatch`, { sessions: ids.map((session) => ({ session })) })
    return { client, watch, unwatch } as const
  })

describe("watch and unwatch", () => {
  it.scopedLive("let a session's events come once each, and only between the two answers (S90)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { client, unwatch, watch } = yield* overW1(sluice)
      yield* sluice.add("w2", { data: "too early" })
      assert.deepEqual(watching(yield* watch({ session: "w2" })), ["w1", "w2"])
      assert.deepEqual(watching(yield* watch({ session: "w2", from: "start" })), ["w1", "w2"])
      yield* sluice.add("w2", { data: "1" })
      yield* sluice.add("w1", { data: "x" })
      yield* sluice.add("w2", { data: "2" })
      assert.deepEqual(watching(yield* unwatch("w2")), ["w1"])
      yield* sluice.add("w2", { data: "too late" })
      yield* sluice.add("w1", { data: "y" })
      yield* client.find(({ data }) => data.includes('"data":"y"'))
      assert.deepEqual(dataOf(client, "w2"), ["1", "2"])
      assert.deepEqual(dataOf(client, "w1"), ["x", "y"])
      assert.deepEqual(watching(yield* unwatch("w2", "never")), ["w1"])
    })
  )

  it.scopedLive("stop a session in the middle of its replay, and the other goes on undisturbed (S90)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { replayCap: 100_000 } })
      const { client, unwatch, watch } = yield* overW1(sluice)
      const large = "x".repeat(100_000)
      yield* Effect.replicateEffect(
        sluice.add("w2", { events: Array.from({ length: 40 }, () => ({ data: large })) }),
        10
      )
      yield* client.pause
      yield* watch({ session: "w2", from: "start" })
      yield* unwatch("w2")
      yield* sluice.add("w1", { data: "after" })
      yield* client.resume
      yield* client.find(({ data }) => data.includes('"data":"after"'))
      yield* sluice.add("w1", { data: "last" })
      yield* client.find(({ data }) => data.includes('"data":"last"'))
      const sessions = own(client).map((event) => event["session"])
      const replayed = sessions.filter((session) => session === "w2").length
      assert.ok(replayed < 400)
      assert.deepEqual(sessions, [...Array.from({ length: replayed }, () => "w2"), "w1", "w1"])
    })
  )

  it.scopedLive("begin by the same plan as a connect: cursor, start, and the head when neither is given (S91)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { replayCap: 3 } })
      const epochs = yield* Effect.forEach(["cursor", "start", "head", "far", "other"], (session) =>
        sluice.fill(session, 5)
      )
      const { client, watch } = yield* overW1(sluice)
      const answer = yield* watch(
        { session: "cursor", cursor: `${epochs[0]}.3`, from: "start" },
        { session: "start", from: "start" },
        { session: "head" },
        { session: "far", cursor: `${epochs[3]}.1` },
        { session: "other", cursor: "zzz.4" }
      )
      assert.deepEqual(watching(answer), ["w1", "cursor", "start", "head", "far", "other"])
      yield* lives(client, 6)
      assert.deepEqual(
        ["cursor", "start", "head", "far", "other"].map((session) => dataOf(client, session)),
        [Sluice.range(4, 5), Sluice.range(3, 5), [], Sluice.range(3, 5), Sluice.range(3, 5)]
      )
      const gaps = client
        .events()
        .filter(({ name }) => name === "sluice.gap")
        .map((gap) => Call.json(gap))
      const log = { oldest: 1, head: 5 }
      assert.deepEqual(gaps, [
        { session: "start", after: 0, next: 3, missed: 2, ...log, reason: "cap" },
        { session: "far", after: 1, next: 3, missed: 1, ...log, reason: "cap" },
        { session: "other", after: 0, next: 3, missed: null, ...log, reason: "epoch" }
      ])
      yield* sluice.add("head", { data: "6" })
      yield* client.find(({ data }) => data.includes('"data":"6"'))
    })
  )
})

describe("a watch that cannot be", () => {
  it.scopedLive("is 404 for a token that no open stream has, also one that had it (S92)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { client, unwatch, watch } = yield* overW1(sluice)
      yield* client.abort
      yield* sluice.add("w1", { data: 1 })
      yield* sluice.untilSession("w1", ({ watchers }) => watchers === 0)
      for (const post of [
        watch({ session: "w2" }),
        unwatch("w1"),
        sluice.post("/v1/connections/none/watch", { sessions: [{ session: "w2" }] })
      ]) {
        Call.assertError(yield* post, 404, "CONNECTION_NOT_FOUND")
      }
    })
  )

  for (const [says, member] of [
    ["an invalid id", { session: "a b" }],
    ["an id of 129 characters", { session: "a".repeat(129) }],
    ["an invalid cursor", { session: "w3", cursor: "not a cursor" }],
    ["an unknown from", { session: "w3", from: "middle" }],
    ["no session", { cursor: "e.1" }]
  ] as const) {
    it.scopedLive(`is 400 for ${says}, and no other watch of the list begins (S92)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const { unwatch, watch } = yield* overW1(sluice)
        Call.assertError(yield* watch({ session: "w2" }, member), 400, "INVALID_REQUEST")
        assert.deepEqual(watching(yield* unwatch("none")), ["w1"])
      })
    )
  }

  it.scopedLive("is 400 for the 101st session, in one list or in several (S92)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { unwatch, watch } = yield* overW1(sluice)
      const wishes = (first: number, count: number) =>
        Array.from({ length: count }, (_, index) => ({ session: `s${first + index}` }))
      Call.assertError(yield* watch(...wishes(1, 101)), 400, "INVALID_REQUEST")
      Call.assertError(yield* watch(...wishes(1, 100)), 400, "INVALID_REQUEST")
      assert.deepEqual(watching(yield* unwatch("none")), ["w1"])
      yield* watch(...wishes(1, 99))
      const details = Call.assertError(yield* watch({ session: "s1" }, { session: "s100" }), 400, "INVALID_REQUEST")
      assert.match(String(details["message"]), /100/)
      assert.deepEqual(watching(yield* watch({ session: "s1" })), [
        "w1",
        ...wishes(1, 99).map(({ session }) => session)
      ])
    })
  )

  it.scopedLive(
    "is 400 for a list that is empty, missing or no JSON, and for the token of a single session's stream (S92)",
    () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const { unwatch, watch } = yield* overW1(sluice)
        Call.assertError(yield* watch(), 400, "INVALID_REQUEST")
        const single = yield* token(yield* sluice.watch("w1"))
        const path = `/v1/connections/${single}/watch`
        Call.assertError(yield* sluice.post(path, { sessions: [{ session: "w2" }] }), 400, "INVALID_REQUEST")
        Call.assertError(yield* sluice.post(path, {}), 400, "INVALID_REQUEST")
        assert.deepEqual(watching(yield* unwatch("none")), ["w1"])
        Call.assertError(yield* sluice.post(path, "{"), 400, "INVALID_REQUEST")
      })
  )

  for (const [says, query] of [
    ["no session", ""],
    ["101 sessions", Array.from({ length: 101 }, (_, index) => `session=s${index}`).join("&")],
    ["an invalid id", "session=a&session=a%20b"],
    ["an invalid cursor", "session=a&session=b@nonsense"]
  ] as const) {
    it.scopedLive(`is 400 on connect for ${says} (S92)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        Call.assertError(yield* sluice.call(`/v1/stream?${query}`), 400, "INVALID_REQUEST")
      })
    )
  }
})

describe("sessions on one connection", () => {
  it.scopedLive("share it: a quiet one's event waits for at most one page (50) of one far behind (S94)", () =>
    Effect.gen(function* () {
      const { sluice, store } = yield* Sluice.makeFaulty({ connection: { replayCap: 1_000_000 } })
      const large = { events: Array.from({ length: 300 }, () => ({ data: "x".repeat(10_000) })) }
      yield* Effect.replicateEffect(sluice.add("busy", large), 10)
      const client = yield* sluice.stream("/v1/stream?session=busy@0.0&session=quiet")
      yield* client.find(({ data }) => data.includes('"seq":1,'))
      yield* client.pause
      yield* sluice.add("quiet", { data: "now" })
      const pages = store.calls("readEvents").length
      yield* client.resume
      yield* client.find(({ data }) => data.includes('"data":"now"'))
      const before = own(client).findIndex((event) => event["session"] === "quiet")
      assert.ok(pages * 50 < 3000, `the whole log was read: ${pages} pages`)
      assert.ok(before <= (pages + 1) * 50, `${before} events came first; ${pages} pages were read when it was stored`)
      yield* live(client, "busy")
      const seqs = own(client).flatMap(({ seq, session }) => (session === "busy" ? [String(seq)] : []))
      assert.deepEqual(seqs, Sluice.range(1, 3000))
    })
  )

  it.scopedLive("are not carried over to the next one, and its late end changes nothing of the new (S95)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { client: old, watch } = yield* overW1(sluice)
      yield* watch({ session: "w2" })
      const next = yield* overW1(sluice)
      assert.notEqual(yield* token(next.client), yield* token(old))
      yield* sluice.add("w2", { data: "not watched anew" })
      yield* old.abort
      yield* sluice.untilSession("w2", ({ watchers }) => watchers === 0)
      yield* sluice.add("w1", { data: "go on" })
      yield* next.client.find(({ data }) => data.includes('"data":"go on"'))
      assert.deepEqual(dataOf(next.client, "w2"), [])
      Call.assertError(yield* watch({ session: "w3" }), 404, "CONNECTION_NOT_FOUND")
      assert.deepEqual(watching(yield* next.unwatch("none")), ["w1"])
    })
  )
})
