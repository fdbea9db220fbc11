import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SendResult } from "../../../src/client/browser/Sender.ts"
import * as Call from "../../http/Call.ts"
import * as Processes from "../../http/Processes.ts"
import * as Sluice from "../../http/Sluice.ts"
import * as Client from "./Client.ts"
import { hasty } from "./FakeTimers.ts"
import * as FaultyFront from "./FaultyFront.ts"

/** A client of session `a`, whose posts fail as the script says. */
const make = (script: Array<FaultyFront.Fault | undefined> = []) =>
  Effect.gen(function* () {
    const sluice = yield* Processes.make()
    yield* sluice.add("a", { data: "first" })
    const front = yield* FaultyFront.make(sluice.url, script)
    const following = yield* Client.follow({
      url: front.url,
      sessions: [{ session: "a", from: "start" }],
      timers: hasty
    })
    return { sluice, front, ...following } as const
  })

const all = (results: ReadonlyArray<Promise<SendResult>>) => Effect.promise(() => Promise.all(results))

const bodies = (front: { readonly posts: ReadonlyArray<FaultyFront.Post> }) =>
  front.posts.map(({ body }) => body["data"])

/** What the log has of messages. */
const stored = (sluice: Sluice.Sluice) =>
  Effect.map(sluice.call("/v1/sessions/a/events?limit=1000"), (answer) => {
    const { events } = Call.json(answer)
    const list: ReadonlyArray<Record<string, unknown>> = Array.isArray(events) ? events : []
    return list.flatMap(({ data, name }) => (name === "sluice.message" ? [Call.json({ data: String(data) })] : []))
  })

describe("messages", () => {
  it.scopedLive(
    "sent before the first connection go in order, one in flight, whatever the first goes through (S114)",
    () =>
      Effect.gen(function* () {
        const { client, front, sluice } = yield* make([{ status: 503 }, "unheard"])
        const results = yield* all(Sluice.range(1, 10).map((text) => client.send(text)))
        assert.deepEqual(bodies(front), ["1", "1", ...Sluice.range(1, 10)])
        assert.ok(front.posts.every(({ others }) => others === 0))
        const receipts = results.map((result) =>
          result.type === "accepted" ? result.receipt : assert.fail(result.type)
        )
        assert.deepEqual(
          receipts.map(({ id }) => id),
          front.posts.slice(2).map(({ body }) => body["id"])
        )
        const seqs = receipts.map(({ seq }) => seq)
        assert.deepEqual(
          seqs,
          Array.from(new Set(seqs)).sort((one, other) => one - other)
        )
        assert.deepEqual(
          (yield* stored(sluice)).map(({ id }) => id),
          receipts.map(({ id }) => id)
        )
      })
  )

  it.scopedLive(
    "of a connection that the server does not know any more go over the next, with the same id (S115)",
    () =>
      Effect.gen(function* () {
        const { client, first, front, has, sluice } = yield* make()
        yield* first("live")
        front.script.push({ status: 404, code: "CONNECTION_NOT_FOUND" })
        const [result] = yield* all([client.send("x", { id: "mine" }), client.send("y")])
        assert.equal(result?.type, "accepted")
        yield* has((items) => items.filter(({ type }) => type === "live").length === 2)
        const [one, again] = front.posts
        assert.equal(one?.body["id"], "mine")
        assert.equal(again?.body["id"], "mine")
        assert.notEqual(one?.body["token"], again?.body["token"])
        assert.deepEqual(
          (yield* stored(sluice)).map(({ id }) => id === "mine"),
          [true, false]
        )
      })
  )

  for (const status of [408, 425, 429, 500, 503]) {
    it.scopedLive(`answered ${status} are tried again while the stream stays (S116)`, () =>
      Effect.gen(function* () {
        const { client, front, statuses } = yield* make([{ status }])
        const results = yield* all([client.send("1"), client.send("2")])
        assert.deepEqual(
          results.map(({ type }) => type),
          ["accepted", "accepted"]
        )
        assert.deepEqual(bodies(front), ["1", "1", "2"])
        assert.ok(statuses.every(({ state }) => state !== "offline"))
      })
    )
  }

  for (const status of [400, 401, 403, 404, 409, 413]) {
    it.scopedLive(`answered ${status} have failed, are told, and the next goes (S116)`, () =>
      Effect.gen(function* () {
        const { client, front } = yield* make([{ status, code: "SAID_NO" }])
        const [failed, next] = yield* all([client.send("1"), client.send("2")])
        assert.deepEqual(failed, { type: "failed", status, code: "SAID_NO", message: "as the script says" })
        assert.equal(next?.type, "accepted")
        assert.deepEqual(bodies(front), ["1", "2"])
      })
    )
  }

  it.scopedLive("above 100 are refused, while every post fails, and none of the 100 is lost (S117)", () =>
    Effect.gen(function* () {
      const { client, front } = yield* make(Array.from({ length: 20 }, () => ({ status: 503 })))
      const sent = Sluice.range(1, 100).map((text) => client.send(text))
      const more = yield* all(Sluice.range(101, 150).map((text) => client.send(text)))
      for (const result of more) assert.deepEqual(result, { type: "refused", reason: "full" })
      const results = yield* all(sent)
      assert.ok(results.every(({ type }) => type === "accepted"))
      assert.deepEqual(bodies(front), [...Array.from({ length: 20 }, () => "1"), ...Sluice.range(1, 100)])
    })
  )

  it.scopedLive("whose answer is lost are stored once, and have the receipt of the first time (S118)", () =>
    Effect.gen(function* () {
      const { client, front, sluice } = yield* make(["unanswered"])
      const results = yield* all([client.send({ a: [1, "ü"] }), client.send("2")])
      const [one, again] = front.posts
      assert.deepEqual(one?.body, again?.body)
      const messages = yield* stored(sluice)
      assert.equal(messages.length, 2)
      assert.deepEqual(
        results.map((result) => result.type === "accepted" && result.receipt.id),
        messages.map(({ id }) => id)
      )
    })
  )

  it.scopedLive("are stored once when they have one id; with another content, the later has failed", () =>
    Effect.gen(function* () {
      const { client, sluice } = yield* make()
      const results = yield* all(["x", "x", "y"].map((data) => client.send(data, { id: "mine" })))
      assert.deepEqual(results[0], results[1])
      assert.equal(results[0]?.type, "accepted")
      assert.equal(results[2]?.type === "failed" && results[2].status, 409)
      assert.equal((yield* stored(sluice)).length, 1)
    })
  )

  it.scopedLive("that cannot be sent are told so at once", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { client } = yield* Client.connect({ url: sluice.url, sessions: ["a", "b"] })
      const round: Array<unknown> = []
      round.push(round)
      const results = yield* all([
        client.send("x"),
        client.send(undefined, { session: "a" }),
        client.send(1n, { session: "a" }),
        client.send(round, { session: "a" })
      ])
      assert.deepEqual(
        results.map((result) => result.type === "failed" && [result.status, result.code]),
        [
          [0, "INVALID_REQUEST"],
          [0, "INVALID_REQUEST"],
          [0, "INVALID_REQUEST"],
          [0, "INVALID_REQUEST"]
        ]
      )
    })
  )
})

describe("interrupt and stop", () => {
  it.scopedLive("reach the process of the session, with what is said", () =>
    Effect.gen(function* () {
      const { client, first, sluice } = yield* make()
      const child = yield* sluice.attach("a")
      yield* first("live")
      const interrupted = yield* Effect.promise(() => client.interrupt({ message: { data: "why" } }))
      assert.equal(interrupted.type, "accepted")
      yield* child.hears("interrupt")
      const stopped = yield* Effect.promise(() => client.stop())
      assert.ok(stopped.type === "accepted" && stopped.receipt.session === "a" && stopped.receipt.seq > 0)
      yield* child.hears("stop")
      yield* first("end")
    })
  )

  for (const what of ["interrupt", "stop"] as const) {
    for (const [fault, expected] of [
      [{ status: 503 }, [503, "SCRIPTED"]],
      [{ status: 404, code: "CONNECTION_NOT_FOUND" }, [404, "CONNECTION_NOT_FOUND"]],
      ["unheard", [0, "NO_ANSWER"]],
      [undefined, [409, "NOTHING_RUNS"]]
    ] as const) {
      it.scopedLive(`${what} that fails with ${expected[1]} is asked once, and told (S119)`, () =>
        Effect.gen(function* () {
          const { client, first, front, has, sluice } = yield* make([fault])
          yield* first("live")
          const result = yield* Effect.promise(() => client[what]())
          assert.deepEqual(result.type === "failed" && [result.status, result.code], expected)
          // Also when it is connected again.
          const { connections } = Call.json(yield* sluice.call("/v1/connections"))
          const [connection] = Array.isArray(connections) ? connections : []
          yield* sluice.call(`/v1/connections/${connection.token}`, { method: "DELETE" })
          yield* has((items) => items.filter(({ type }) => type === "live").length === 2)
          assert.equal((yield* Effect.promise(() => client.send("behind"))).type, "accepted")
          assert.deepEqual(
            front.posts.map(({ path }) => path),
            [`/v1/sessions/a/${what}`, "/v1/sessions/a/messages"]
          )
        })
      )
    }
  }
})
