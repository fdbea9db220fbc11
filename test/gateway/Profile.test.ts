import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import * as RawSocket from "../http/RawSocket.ts"
import * as Gateway from "./Gateway.ts"

/** What the public SSEGateway writes when a stream is ready. */
const ready = "event: ready\ndata:\n\n"

const make = ({ env, ...options }: Gateway.Options = {}) =>
  Gateway.make({ ...options, env: { SLUICE_GATEWAY_PROFILE: "ssegateway", ...env } })

describe("profile ssegateway: a stream", () => {
  for (const target of ["/", "/any/path", "/sse/x?y=1", "/internal/send", "/healthzz", "/v11", "/api/%20//x?y"]) {
    it.scopedLive(`is every path, such as ${target} (S20)`, () =>
      Effect.gen(function* () {
        const gateway = yield* make()
        const { client } = yield* gateway.accepted(target)
        yield* client.until((text) => text.length >= ready.length)
        assert.equal(client.text(), ready)
      })
    )
  }

  it.scopedLive("is not what the system itself has at a path (S20)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      const own = [
        "/healthz",
        "/readyz",
        "/readyz?for=sessions",
        "/metrics",
        "/v1",
        "/v1/sessions",
        "/v1/nothing",
        "/docs",
        "/dashboard",
        "/openapi.json"
      ]
      for (const target of own) {
        const answer = yield* gateway.call(target)
        assert.notEqual(answer.headers["content-type"], "text/event-stream", target)
      }
      assert.deepEqual(gateway.backend.calls(), [])
    })
  )

  it.scopedLive(
    "begins with what was kept during the callback, then event ready, once, with an empty data line (S20)",
    () =>
      Effect.gen(function* () {
        const gateway = yield* make()
        gateway.backend.onConnect(({ token }) =>
          Effect.gen(function* () {
            yield* gateway.mustSend({ token, event: { name: "a", data: '{"n":1}' } }, "buffered")
            yield* gateway.mustSend({ token, event: { data: "two\nlines" } }, "buffered")
            return TestBackend.accept
          })
        )
        const { client, token } = yield* gateway.accepted("/any/path")
        yield* gateway.mustSend({ token, event: { name: "b", data: "3" } })
        yield* gateway.mustSend({ token, event: { data: "last" }, close: true })
        const { isComplete, text } = yield* client.ended
        assert.ok(isComplete, "cut off")
        assert.equal(
          text,
          `data: {"type":"a","payload":{"n":1}}\n\ndata: two\ndata: lines\n\n${ready}` +
            'data: {"type":"b","payload":3}\n\ndata: last\n\n'
        )
      })
  )

  it.scopedLive("has the older head, on the wire too (S20)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      const socket = yield* RawSocket.open(gateway.url)
      yield* socket.write(RawSocket.head("GET /any HTTP/1.1", ["Accept-Encoding: gzip"]))
      const text = yield* socket.until((text) => text.includes(ready))
      const [head = "", body = ""] = text.split("\r\n\r\n")
      assert.match(head, /^HTTP\/1\.1 200 OK\r\n/)
      const lines = head.toLowerCase().split("\r\n")
      for (const line of [
        "content-type: text/event-stream",
        "cache-control: no-cache",
        "connection: keep-alive",
        "x-accel-buffering: no"
      ]) {
        assert.ok(lines.includes(line), `${line} is not in ${head}`)
      }
      assert.doesNotMatch(head, /content-encoding/i)
      assert.doesNotMatch(body, /^(?:id|retry):/m)
    })
  )

  it.scopedLive("whose answer binds an identity, but watches nothing, has no line of ours (S20)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      gateway.backend.onConnect(TestBackend.always(TestBackend.acceptWith({ request_id: "R1", bindings: ["x.#"] })))
      const { client } = yield* gateway.accepted("/x")
      yield* gateway.mustSend({ request_id: "R1", event: { data: "1" }, close: true })
      assert.equal((yield* client.ended).text, `${ready}data: 1\n\n`)
    })
  )

  it.scopedLive("that is closed during the callback has no event, not even ready (S28)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      gateway.backend.onConnect(({ token }) =>
        Effect.as(gateway.mustSend({ token, close: true }, "buffered"), TestBackend.accept)
      )
      const { client, token } = yield* gateway.accepted("/x")
      const { isComplete, text } = yield* client.ended
      assert.deepEqual([isComplete, text], [true, ""])
      const [call] = yield* gateway.backend.disconnects(1)
      assert.deepEqual([call?.token, call?.reason], [token, "server_closed"])
    })
  )

  it.scopedLive("that is closed during the callback after an event has that event alone (S28)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      gateway.backend.onConnect(({ token }) =>
        Effect.as(
          gateway.mustSend({ token, event: { name: "n", data: "1" }, close: true }, "buffered"),
          TestBackend.accept
        )
      )
      const { client } = yield* gateway.accepted("/x")
      assert.equal((yield* client.ended).text, 'data: {"type":"n","payload":1}\n\n')
    })
  )
})

describe("profile ssegateway: an event", () => {
  for (const [event, bytes] of [
    [{ name: "version", data: '{"version":"abc"}' }, 'data: {"type":"version","payload":{"version":"abc"}}\n\n'],
    [{ name: 'a "quoted" \\ name', data: "[1, 2]" }, 'data: {"type":"a \\"quoted\\" \\\\ name","payload":[1, 2]}\n\n'],
    [{ name: "not JSON", data: "plain {" }, 'data: {"type":"not JSON","payload":plain {}\n\n'],
    [{ name: "empty", data: "" }, 'data: {"type":"empty","payload":}\n\n'],
    [{ name: "größe", data: '"é🙂"' }, 'data: {"type":"größe","payload":"é🙂"}\n\n'],
    [{ name: "message", data: "1" }, 'data: {"type":"message","payload":1}\n\n'],
    [{ name: "", data: "no name" }, "data: no name\n\n"],
    [{ data: "a\nb\n\nc" }, "data: a\ndata: b\ndata: \ndata: c\n\n"],
    [{ data: "" }, "data: \n\n"],
    [{ data: '{"type":"x"}' }, 'data: {"type":"x"}\n\n']
  ] as const) {
    it.scopedLive(`${JSON.stringify(event)} is written as ${JSON.stringify(bytes)} (S56)`, () =>
      Effect.gen(function* () {
        const gateway = yield* make()
        const { client, token } = yield* gateway.accepted("/x")
        yield* gateway.mustSend({ token, event, close: true })
        assert.equal((yield* client.ended).text, `${ready}${bytes}`)
      })
    )
  }

  it.scopedLive("with a name and a line end in its data is 400, since it would break its frame (S56)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      const { client, token } = yield* gateway.accepted("/x")
      for (const data of ["a\nb", "a\rb", "\r\n", '{"a":\n1}']) {
        const answer = yield* gateway.send({ token, event: { name: "n", data }, close: true })
        assert.equal(answer.status, 400, JSON.stringify(data))
        assert.match(answer.text, /^\{"error":\{/)
      }
      yield* gateway.mustSend({ token, event: { data: "good" }, close: true })
      assert.equal((yield* client.ended).text, `${ready}data: good\n\n`)
    })
  )

  it.scopedLive("with a name and a line end is 400 during the callback as well (S56)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      const statuses: Array<number> = []
      gateway.backend.onConnect(({ token }) =>
        Effect.map(gateway.send({ token, event: { name: "n", data: "a\nb" } }), ({ status }) => {
          statuses.push(status)
          return TestBackend.accept
        })
      )
      const { client, token } = yield* gateway.accepted("/x")
      assert.deepEqual(statuses, [400])
      yield* gateway.mustSend({ token, close: true })
      assert.equal((yield* client.ended).text, ready)
    })
  )
})

describe("profile ssegateway: a connect that is refused", () => {
  for (const [status, reason, message] of [
    [400, undefined, "Bad Request"],
    [401, undefined, "Unauthorized"],
    [403, undefined, "Forbidden"],
    [400, "", "Bad Request"],
    [401, "", "Unauthorized"],
    [403, "", "Forbidden"],
    [401, 'Session "expired"', 'Session \\"expired\\"']
  ] as const) {
    const phrase = reason === undefined ? "" : reason === "" ? " without a phrase" : ` ${reason}`
    it.scopedLive(`with ${status}${phrase} is a 200 stream that says so and ends (S21)`, () =>
      Effect.gen(function* () {
        const gateway = yield* make()
        const reply = TestBackend.answer(status, { body: "a secret", ...(reason === undefined ? {} : { reason }) })
        gateway.backend.onConnect(({ token }) =>
          Effect.as(gateway.mustSend({ token, event: { data: "lost" } }, "buffered"), reply)
        )
        const client = yield* gateway.open("/x")
        assert.deepEqual(
          [client.status, client.headers["content-type"], client.headers["cache-control"]],
          [200, "text/event-stream", "no-cache"]
        )
        const { isComplete, text } = yield* client.ended
        assert.ok(isComplete, "cut off")
        assert.equal(text, `event: rejected\ndata: {"status":${status},"message":"${message}"}\n\n`)
        yield* gateway.assertGone(gateway.tokenOf("/x"))
        gateway.backend.onConnect(TestBackend.always(TestBackend.accept))
        assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [])
      })
    )
  }

  for (const status of [402, 404, 429, 500, 503]) {
    it.scopedLive(`with ${status} stays that status (S21)`, () =>
      Effect.gen(function* () {
        const gateway = yield* make()
        gateway.backend.onConnect(TestBackend.inTurn(TestBackend.answer(status), TestBackend.accept))
        Gateway.assertRefused(yield* gateway.call("/x"), status, "BACKEND_ERROR")
        assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [])
      })
    )
  }

  it.scopedLive("by silence is 504, and no disconnect follows (S35)", () =>
    Effect.gen(function* () {
      const gateway = yield* make({ env: { CALLBACK_TIMEOUT_SECONDS: "1" } })
      gateway.backend.onConnect(TestBackend.inTurn(TestBackend.never, TestBackend.accept))
      Gateway.assertRefused(yield* gateway.call("/x"), 504, "GATEWAY_TIMEOUT")
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [])
    })
  )
})

describe("profile ssegateway: a client that leaves", () => {
  for (const [what, reply] of [
    ["yes", TestBackend.accept],
    ["no", TestBackend.answer(401)]
  ] as const) {
    it.scopedLive(`during a callback that then says ${what} is told to nobody (S35)`, () =>
      Effect.gen(function* () {
        const gateway = yield* make()
        const { release, token } = yield* gateway.leftDuringCallback(reply)
        yield* release
        const calls = yield* gateway.callsAfterAnother
        assert.ok(!Gateway.told(calls, "disconnect").some((call) => call.token === token))
        yield* gateway.assertGone(token)
      })
    )
  }

  it.scopedLive("later is one disconnect, as ever (S34)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      const { client, token } = yield* gateway.accepted("/x")
      yield* client.until((text) => text === ready)
      yield* client.abort
      yield* gateway.backend.disconnects(1)
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [
        { token, reason: "client_closed" }
      ])
    })
  )
})

describe("profile ssegateway: the heartbeat", () => {
  it.scopedLive("starts after ready, and goes on while events are sent (S56)", () =>
    Effect.gen(function* () {
      const heartbeat = Duration.seconds(1)
      const gateway = yield* make({ connection: { heartbeat } })
      const { client, token } = yield* gateway.accepted("/x")
      const beats = () => client.text().split(": heartbeat\n\n").length - 1
      // There is never a silence as long as the interval.
      while (beats() < 2) yield* gateway.say(token, "x")
      assert.ok(client.text().startsWith(ready))
      assert.equal(client.text().replaceAll("data: x\n\n", ""), ready + ": heartbeat\n\n".repeat(beats()))
    })
  )
})

describe("profile ssegateway: /readyz", () => {
  it.scopedLive("says that no broker is used, ready or not (S144)", () =>
    Effect.gen(function* () {
      const gateway = yield* make()
      const isReady = yield* gateway.call("/readyz")
      assert.equal(isReady.status, 200)
      assert.deepEqual(Call.json(isReady), { status: "ready", configured: true, rabbitmq: "disabled" })
      const without = yield* make({ env: { CALLBACK_URL: "" } })
      const isNot = yield* without.call("/readyz")
      assert.equal(isNot.status, 503)
      assert.deepEqual(Call.pick(Call.json(isNot), "status", "configured", "rabbitmq"), {
        status: "not_ready",
        configured: false,
        rabbitmq: "disabled"
      })
      const native = yield* Gateway.make()
      assert.deepEqual(Call.json(yield* native.call("/readyz")), { status: "ready", configured: true })
    })
  )
})
