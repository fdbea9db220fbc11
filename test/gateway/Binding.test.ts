import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import { numbered } from "../http/Sluice.ts"
import * as Wrapped from "../http/Wrapped.ts"
import * as Gateway from "./Gateway.ts"

describe("the backend's answer to a connect", () => {
  it.scopedLive("binds an identity, sessions, first events and an end to the stream (S16)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      const { epoch } = yield* gateway.add("bound", { events: numbered(1, 3) })
      backend.onConnect(({ token }) =>
        Effect.as(
          gateway.send({ token, event: { name: "early", data: "kept" } }),
          TestBackend.acceptWith({
            request_id: "R1",
            watch: [{ session: "bound", from: "start" }],
            events: [{ name: "welcome", data: "hi" }],
            expires_in: 1
          })
        )
      )
      const { client, token } = yield* gateway.accepted()
      yield* Wrapped.live(client, "bound")
      // Hello, what was kept during the callback, what the answer brought, replay, live.
      const received = client.events()
      assert.deepEqual(
        received.map(({ name }) => name),
        ["sluice.hello", "early", "welcome", "message", "message", "message", "sluice.live"]
      )
      const [hello] = received
      assert.ok(hello)
      assert.equal(Call.json(hello)["token"], token)
      assert.deepEqual(Call.json(hello)["sessions"], [
        { session: "bound", epoch, cursor: `${epoch}.0`, oldest: 1, head: 3, mode: "started" }
      ])
      assert.ok(client.text().includes("event: early\ndata: kept\n\nevent: welcome\ndata: hi\n\n"))
      assert.deepEqual(
        Wrapped.own(client).map((event) => Call.pick(event, "session", "epoch", "seq", "data")),
        ["1", "2", "3"].map((data, index) => ({ session: "bound", epoch, seq: index + 1, data }))
      )
      yield* gateway.mustSend({ request_id: "R1", event: { name: "direct", data: "by request id" } })
      assert.equal((yield* client.named("direct")).data, "by request id")
      yield* gateway.add("bound", { data: "later" })
      yield* client.until(() => Wrapped.dataOf(client, "bound").includes("later"))
      // Its second is over.
      const { isComplete } = yield* client.ended
      assert.ok(isComplete, "cut off")
      yield* backend.disconnects(1)
      yield* gateway.assertGone(token)
      assert.equal((yield* gateway.send({ request_id: "R1" })).status, 404)
      backend.onConnect(TestBackend.always(TestBackend.accept))
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [{ token, reason: "expired" }])
    })
  )

  it.scopedLive("with expires_in alone ends the stream then, and not a byte is on it (S16, S53)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(TestBackend.always(TestBackend.acceptWith({ expires_in: 1 })))
      const begin = performance.now()
      const { client, token } = yield* gateway.accepted()
      const { isComplete, text } = yield* client.ended
      assert.ok(performance.now() - begin >= 900, "too early")
      assert.deepEqual([isComplete, text], [true, ""])
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual([call?.token, call?.reason], [token, "expired"])
    })
  )

  it.scopedLive(
    "with events alone puts them behind those of the callback, and no control frame anywhere (S16, S53)",
    () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        gateway.backend.onConnect(({ token }) =>
          Effect.as(
            gateway.send({ token, event: { data: "kept" } }),
            TestBackend.acceptWith({ events: [{ name: "welcome", data: "hi" }, { data: "a\nb" }, { data: "" }] })
          )
        )
        const { client, token } = yield* gateway.accepted()
        yield* gateway.mustSend({ token, event: { data: "last" }, close: true })
        assert.equal(
          (yield* client.ended).text,
          "data: kept\n\nevent: welcome\ndata: hi\n\ndata: a\ndata: b\n\ndata: \n\ndata: last\n\n"
        )
      })
  )

  it.scopedLive("with watch begins each session where it says: at a cursor, the start, else the head (S16, S91)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const [atCursor] = yield* Effect.forEach(["cursor", "start", "head"], (session) => gateway.fill(session, 3))
      const watch = [
        { session: "cursor", cursor: `${atCursor}.2` },
        { session: "start", from: "start" },
        { session: "head" },
        { session: "later" }
      ]
      gateway.backend.onConnect(TestBackend.always(TestBackend.acceptWith({ watch })))
      const { client } = yield* gateway.accepted()
      yield* Wrapped.live(client, "cursor")
      yield* Wrapped.live(client, "start")
      yield* Wrapped.live(client, "head")
      for (const session of ["cursor", "start", "head", "later"]) yield* gateway.add(session, { data: "new" })
      yield* client.until(() =>
        ["cursor", "start", "head", "later"].every((session) => Wrapped.dataOf(client, session).includes("new"))
      )
      assert.deepEqual(Wrapped.dataOf(client, "cursor"), ["3", "new"])
      assert.deepEqual(Wrapped.dataOf(client, "start"), ["1", "2", "3", "new"])
      assert.deepEqual(Wrapped.dataOf(client, "head"), ["new"])
      assert.deepEqual(Wrapped.dataOf(client, "later"), ["new"])
    })
  )

  for (const [what, answer, bytes] of [
    ["request ids that are none", { request_id: 5, expires_in: null, watch: null, events: null }, ""],
    ["an end that is none", { expires_in: -1, events: [{ data: "e" }] }, "data: e\n\n"],
    ["an end in a thousand years", { expires_in: 3e10, events: [{ data: "e" }] }, "data: e\n\n"],
    ["a watch of no session", { watch: [{ session: "no id!" }], events: [{ data: "e" }] }, "data: e\n\n"],
    [
      "a name that would forge a frame",
      { events: [{ name: "a\ndata: forged", data: "x" }, { data: "e" }] },
      "data: e\n\n"
    ],
    ["a name that is ours", { events: [{ name: "sluice.hello", data: "x" }, { data: "e" }] }, "data: e\n\n"],
    ["more than 64 KiB", { events: [{ data: "x".repeat(70_000) }] }, ""],
    ["unknown fields beside known ones", { events: [{ data: "e", id: "7" }], other: { a: 1 } }, "data: e\n\n"]
  ] as const) {
    it.scopedLive(`with ${what} is a yes all the same, and only what is not understood is ignored (S15, S50)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        gateway.backend.onConnect(TestBackend.inTurn(TestBackend.acceptWith(answer), TestBackend.accept))
        const { client, token } = yield* gateway.accepted()
        const calls = yield* gateway.callsAfterAnother
        assert.deepEqual(Gateway.told(calls, "disconnect"), [])
        yield* gateway.mustSend({ token, event: { data: "last" }, close: true })
        assert.equal((yield* client.ended).text, `${bytes}data: last\n\n`)
      })
    )
  }

  it.scopedLive("without watch leaves the stream to the backend: hello, heartbeat and sessions stay away (S53)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(TestBackend.always(TestBackend.acceptWith({ request_id: "R1", watch: [] })))
      const { client, token } = yield* gateway.accepted()
      yield* gateway.add("bound", { data: "1" })
      yield* gateway.mustSend({ token, event: { name: "only", data: "this" }, close: true })
      const { text } = yield* client.ended
      assert.equal(text, "event: only\ndata: this\n\n")
    })
  )
})
