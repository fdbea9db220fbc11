import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import { range } from "../http/Sluice.ts"
import * as Gateway from "./Gateway.ts"

const mib = 1_048_576

describe("a send", () => {
  for (const [what, event, bytes] of [
    ["a name and two lines", { name: "greet", data: "a\nb" }, "event: greet\ndata: a\ndata: b\n\n"],
    ["no name", { data: "plain" }, "data: plain\n\n"],
    ["no data", { data: "" }, "data: \n\n"],
    ["a name and no data", { name: "n", data: "" }, "event: n\ndata: \n\n"],
    ["every line end", { data: "a\r\nb\rc\nd" }, "data: a\ndata: b\ndata: c\ndata: d\n\n"],
    ["empty lines", { data: "\n\na\n" }, "data: \ndata: \ndata: a\ndata: \n\n"],
    ["leading signs", { data: " a\n: b\nid: 7" }, "data:  a\ndata: : b\ndata: id: 7\n\n"],
    ["JSON", { name: "x.y", data: '{"a":[1,"\\n"]}' }, 'event: x.y\ndata: {"a":[1,"\\n"]}\n\n'],
    ["half a surrogate pair", { name: "\udc00", data: "\ud800x" }, "event: \ufffd\ndata: \ufffdx\n\n"],
    ["other alphabets", { name: "größe", data: "\u2028 日本 🙂" }, "event: größe\ndata: \u2028 日本 🙂\n\n"]
  ] as const) {
    it.scopedLive(`writes an event with ${what} in these bytes: ${JSON.stringify(bytes)} (S22, S49)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const { client, token } = yield* gateway.accepted()
        const answer = yield* gateway.send({ token, event })
        assert.deepEqual([answer.status, answer.text], [200, '{"status":"ok"}'])
        assert.match(answer.headers["content-type"] ?? "", /^application\/json/)
        yield* gateway.mustSend({ token, close: true })
        assert.equal((yield* client.ended).text, bytes)
      })
    )
  }

  it.scopedLive(
    "keeps the order of the calls; a last one with event and close ends the stream after its event (S23)",
    () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const { client, token } = yield* gateway.accepted()
        for (const data of range(1, 50)) yield* gateway.say(token, data)
        yield* gateway.mustSend({ token, event: { data: "51", more: true }, close: true, unknown: { field: 1 } })
        const { isComplete, text } = yield* client.ended
        assert.ok(isComplete, "cut off")
        const frames = range(1, 51).map((data) => `data: ${data}\n\n`)
        assert.equal(text, frames.join(""))
        yield* gateway.assertGone(token)
        Call.assertError(yield* gateway.send({ token, event: { data: "late" } }), 404, "TOKEN_NOT_FOUND")
        yield* gateway.backend.disconnects(1, token)
        assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
          { token, reason: "server_closed" }
        ])
      })
  )

  it.scopedLive("keeps the order of calls that are under way together on one connection (S23)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const one = yield* gateway.accepted()
      const other = yield* gateway.accepted()
      const both = Effect.all(
        [one, other].map(({ token }) => Effect.forEach(range(1, 100), (data) => gateway.say(token, data))),
        { concurrency: 2 }
      )
      yield* both
      for (const { client, token } of [one, other]) {
        yield* gateway.mustSend({ token, close: true })
        assert.equal(
          (yield* client.ended).text,
          range(1, 100)
            .map((data) => `data: ${data}\n\n`)
            .join("")
        )
      }
    })
  )

  it.scopedLive("with a token alone writes and keeps nothing, and tells whether the connection lives (S26)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const answers: Array<string> = []
      gateway.backend.onConnect(({ token }) =>
        Effect.map(gateway.send({ token }), ({ status, text }) => {
          answers.push(`${status} ${text}`)
          return TestBackend.accept
        })
      )
      const { client, token } = yield* gateway.accepted()
      assert.deepEqual(answers, ['200 {"status":"buffered"}'])
      const answer = yield* gateway.send({ token })
      assert.deepEqual([answer.status, answer.text], [200, '{"status":"ok"}'])
      yield* gateway.mustSend({ token, close: false })
      yield* gateway.mustSend({ token, close: true })
      assert.equal((yield* client.ended).text, "")
      yield* gateway.assertGone(token)
      yield* gateway.assertGone("00000000-0000-4000-8000-000000000000")
    })
  )

  it.scopedLive("by request id reaches its present connection alone, and an id that nobody has is 404 (S32)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(({ request }) =>
        Effect.succeed(request.url === "/sse/R1" ? TestBackend.acceptWith({ request_id: "R1" }) : TestBackend.accept)
      )
      const others = yield* Effect.all(
        Array.from({ length: 19 }, () => gateway.accepted()),
        { concurrency: 19 }
      )
      const first = yield* gateway.accepted("/sse/R1")
      yield* gateway.mustSend({ request_id: "R1", event: { data: "to the first" } })
      const second = yield* gateway.accepted("/sse/R1")
      assert.notEqual(second.token, first.token)
      yield* gateway.mustSend({ request_id: "R1", event: { data: "to the second" }, close: true })
      assert.equal((yield* first.client.ended).text, "data: to the first\n\n")
      assert.equal((yield* second.client.ended).text, "data: to the second\n\n")
      for (const id of ["R1", "R2", "", second.token]) {
        assert.equal((yield* gateway.send({ request_id: id, event: { data: "lost" } })).status >= 400, true, id)
      }
      Call.assertError(yield* gateway.send({ request_id: "R2", event: { data: "lost" } }), 404, "TOKEN_NOT_FOUND")
      for (const { client, token } of others) {
        yield* gateway.mustSend({ token, close: true })
        assert.equal((yield* client.ended).text, "")
      }
    })
  )

  it.scopedLive("with request id null reaches all and says how many; with nobody there that is 0 (S32)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const toAll = (event: unknown) =>
        Effect.map(gateway.send({ request_id: null, event, service: "task" }), (answer) => {
          assert.equal(answer.status, 200, answer.text)
          return Call.json(answer)
        })
      assert.deepEqual(yield* toAll({ data: "nobody" }), { status: "ok", connections: 0 })
      const all = yield* Effect.all(
        Array.from({ length: 20 }, () => gateway.accepted()),
        { concurrency: 20 }
      )
      assert.deepEqual(yield* toAll({ name: "n", data: "all" }), { status: "ok", connections: 20 })
      for (const { client } of all) {
        yield* client.take(1)
        assert.equal(client.text(), "event: n\ndata: all\n\n")
      }
    })
  )
})

describe("a send that is refused", () => {
  const token = "00000000-0000-4000-8000-000000000000"
  const cases: ReadonlyArray<readonly [string, unknown]> = [
    ["INVALID_TOKEN_MISSING", {}],
    ["INVALID_TOKEN_MISSING", { event: { data: "x" } }],
    ["INVALID_TOKEN_MISSING", { token: "" }],
    ["INVALID_TOKEN_MISSING", { token: 5 }],
    ["INVALID_TOKEN_MISSING", { token: null }],
    ["INVALID_TOKEN_MISSING", { token: ["x"], event: 5, close: 5 }],
    ["INVALID_EVENT_TYPE", { token, event: "x" }],
    ["INVALID_EVENT_TYPE", { token, event: 5, close: 5 }],
    ["INVALID_EVENT_TYPE", { token, event: null }],
    ["INVALID_EVENT_DATA_MISSING", { token, event: {} }],
    ["INVALID_EVENT_DATA_MISSING", { token, event: { name: "n" } }],
    ["INVALID_EVENT_DATA_MISSING", { token, event: { name: 5, data: 5 }, close: 5 }],
    ["INVALID_EVENT_DATA_MISSING", { token, event: { data: null } }],
    ["INVALID_EVENT_DATA_MISSING", { token, event: { data: { a: 1 } } }],
    ["INVALID_EVENT_NAME_TYPE", { token, event: { data: "x", name: 5 }, close: 5 }],
    ["INVALID_EVENT_NAME_TYPE", { token, event: { data: "x", name: {} } }],
    ["INVALID_CLOSE_TYPE", { token, event: { data: "x" }, close: "true" }],
    ["INVALID_CLOSE_TYPE", { token, close: 1 }],
    ["INVALID_CLOSE_TYPE", { token, close: null }]
  ]

  it.scopedLive("names its first fault, in this order, before the token is looked up (S24)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      for (const [code, body] of cases) {
        Call.assertError(yield* gateway.send(body), 400, code)
      }
      Call.assertError(yield* gateway.send({ token, event: { data: "x" } }), 404, "TOKEN_NOT_FOUND")
    })
  )

  it.scopedLive("has sent nothing to a stream that is open (S24, S50)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { client, token } = yield* gateway.accepted()
      for (const event of [
        { data: 5 },
        { data: "x", name: 5 },
        { data: "x", name: "a\nb" },
        { data: "x", name: "a\r" },
        { data: "x", name: "\u0000" },
        { data: "x", name: "sluice.hello" }
      ]) {
        const answer = yield* gateway.send({ token, event, close: true })
        assert.equal(answer.status, 400, JSON.stringify(event))
      }
      yield* gateway.mustSend({ token, event: { data: "good" }, close: true })
      assert.equal((yield* client.ended).text, "data: good\n\n")
    })
  )

  it.scopedLive("is a JSON error for what is no JSON, and for data above its bound in bytes (S25)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { client, token } = yield* gateway.accepted()
      for (const body of ["", "{", '{"token":', "<html>", `{"token":"${token}"} x`]) {
        Call.assertError(yield* gateway.send(body), 400, "INVALID_REQUEST")
      }
      const send = (data: string, more = {}) => gateway.send({ token, event: { data }, ...more })
      Call.assertError(yield* send("x".repeat(mib + 1)), 413, "PAYLOAD_TOO_LARGE")
      Call.assertError(yield* send("é".repeat(mib / 2 + 1)), 413, "PAYLOAD_TOO_LARGE")
      Call.assertError(yield* send("x".repeat(5 * mib)), 413, "PAYLOAD_TOO_LARGE")
      assert.equal((yield* send("é".repeat(mib / 2), { close: true })).status, 200)
      assert.equal((yield* client.ended).text, `data: ${"é".repeat(mib / 2)}\n\n`)
    })
  )

  it.scopedLive("needs the key when there is one, as no stream does (S153)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ http: { apiKey: Redacted.make("key") } })
      const { client, token } = yield* gateway.accepted()
      const event = { data: "x" }
      Call.assertError(yield* gateway.send({ token, event }), 401, "UNAUTHORIZED")
      Call.assertError(yield* gateway.send({ token, event }, { Authorization: "Bearer kez" }), 401, "UNAUTHORIZED")
      Call.assertError(yield* gateway.send({}), 401, "UNAUTHORIZED")
      assert.equal((yield* gateway.send({ token, event, close: true }, { Authorization: "Bearer key" })).status, 200)
      assert.equal((yield* client.ended).text, "data: x\n\n")
    })
  )
})

describe("what is sent while the callback runs", () => {
  const sends = (gateway: Gateway.Gateway, token: string) =>
    Effect.forEach(["1", "2", "3"], (data) => gateway.mustSend({ token, event: { data } }, "buffered"))

  it.scopedLive("is kept, and comes first and in its order (S27)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(({ token }) => Effect.as(sends(gateway, token), TestBackend.accept))
      const { client, token } = yield* gateway.accepted()
      yield* gateway.mustSend({ token, event: { data: "4" }, close: true })
      assert.equal((yield* client.ended).text, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n")
    })
  )

  it.scopedLive("is forgotten when the backend then refuses (S27)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(({ token }) => Effect.as(sends(gateway, token), TestBackend.answer(403)))
      Gateway.assertRefused(yield* gateway.call("/sse/x"), 403, "BACKEND_ERROR")
      yield* gateway.assertGone(gateway.tokenOf("/sse/x"))
    })
  )

  it.scopedLive("goes to the stream also by a close, after what came before it (S27, S28)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(({ token }) =>
        Effect.as(
          gateway
            .mustSend({ token, event: { name: "a", data: "1" } }, "buffered")
            .pipe(Effect.zipRight(gateway.mustSend({ token, event: { data: "2" }, close: true }, "buffered"))),
          TestBackend.accept
        )
      )
      const { client, token } = yield* gateway.accepted()
      const { isComplete, text } = yield* client.ended
      assert.deepEqual([isComplete, text], [true, "event: a\ndata: 1\n\ndata: 2\n\n"])
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual([call?.token, call?.reason], [token, "server_closed"])
    })
  )

  it.scopedLive("is a close alone: the stream ends without any event, and the backend hears of its end (S28)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(({ token }) =>
        Effect.as(gateway.mustSend({ token, close: true }, "buffered"), TestBackend.accept)
      )
      const { client, token } = yield* gateway.accepted()
      assert.equal(client.headers["content-type"], "text/event-stream")
      const { isComplete, text } = yield* client.ended
      assert.deepEqual([isComplete, text], [true, ""])
      yield* gateway.backend.disconnects(1)
      gateway.backend.onConnect(TestBackend.always(TestBackend.accept))
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
        { token, reason: "server_closed" }
      ])
    })
  )
})

describe("a close", () => {
  it.scopedLive("does not wait for the backend, which may wait for the close's own answer (S30)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      const { client, token } = yield* gateway.accepted()
      const answered = yield* Effect.makeLatch()
      backend.onDisconnect((call) =>
        call.token === token ? Effect.as(answered.await, TestBackend.accept) : Effect.succeed(TestBackend.accept)
      )
      const closing = yield* Effect.fork(gateway.mustSend({ token, close: true }))
      yield* backend.disconnects(1)
      yield* Fiber.join(closing)
      // The backend still waits.
      Call.assertError(yield* gateway.send({ token, close: true }), 404, "TOKEN_NOT_FOUND")
      Call.assertError(yield* gateway.send({ token, event: { data: "late" } }), 404, "TOKEN_NOT_FOUND")
      assert.equal((yield* client.ended).text, "")
      yield* answered.open
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
        { token, reason: "server_closed" }
      ])
    })
  )
})
