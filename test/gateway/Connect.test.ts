import * as assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Call from "../http/Call.ts"
import * as RawSocket from "../http/RawSocket.ts"
import * as Gateway from "./Gateway.ts"

const isHeadThere = (text: string) => text.includes("\r\n\r\n")

describe("a connect", () => {
  it.scopedLive("is one JSON POST to the backend, and on its 200 a stream (S1)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      const client = yield* gateway.open("/sse/channel/updates?user=123")
      assert.equal(client.status, 200)
      assert.equal(client.headers["content-type"], "text/event-stream")
      const [call, ...more] = yield* gateway.callsAfterAnother
      assert.ok(call)
      assert.deepEqual(more, [])
      assert.deepEqual([call.method, call.target], ["POST", new URL(backend.url).pathname])
      assert.match(call.headers["content-type"] ?? "", /^application\/json/)
      assert.equal(call.headers["content-encoding"], undefined)
      const { action, request, token, ...rest } = call.json ?? {}
      assert.equal(action, "connect")
      assert.match(String(token), Gateway.uuid)
      assert.deepEqual(Object.keys(Object(request)), ["url", "headers"])
      assert.equal(call.request.url, "/sse/channel/updates?user=123")
      assert.deepEqual(rest, {})
      yield* gateway.say(call.token, "hello")
      yield* client.take(1)
      assert.equal(client.text(), "data: hello\n\n")
    })
  )

  const targets = [
    "/sse/",
    "/sse/a/b/c",
    "/sse/x%20y",
    "/sse/q?x=%20a&x=b&e=",
    "/sse/?",
    "/sse/a//b/./c/../d",
    "/sse/%E0%A4%A/%zz?%",
    "/sse/a?b?c=/sse/&d=%0d%0a#",
    "/sse/x;y=1,2?[z]={1}|'\"<>"
  ]
  for (const target of targets) {
    it.scopedLive(`to ${target} is accepted unparsed, and the backend is told the very bytes (S2)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const socket = yield* RawSocket.open(gateway.url)
        yield* socket.write(RawSocket.head(`GET ${target} HTTP/1.1`))
        assert.match(yield* socket.until(isHeadThere), /^HTTP\/1\.1 200 /)
        const [call] = yield* gateway.backend.connects(1)
        assert.equal(call?.request.url, target)
      })
    )
  }

  it.scopedLive("is under SLUICE_GATEWAY_PATH and nowhere else (S3)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { SLUICE_GATEWAY_PATH: "/events" } })
      const { client } = yield* gateway.accepted("/events/x")
      assert.equal(client.headers["content-type"], "text/event-stream")
      Call.assertError(yield* gateway.call("/sse/x"), 404, "NOT_FOUND")
      Call.assertError(yield* gateway.call("/eventsx"), 404, "NOT_FOUND")
      assert.equal(gateway.backend.calls().length, 1)
    })
  )

  it.scopedLive("is every path without another route when SLUICE_GATEWAY_PATH is / (S3)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { SLUICE_GATEWAY_PATH: "/" } })
      for (const target of ["/x", "/sse/x", "/any/path/at/all?q=1", "/health"]) yield* gateway.accepted(target)
      assert.equal((yield* gateway.call("/healthz")).text, '{"status":"ok"}')
      assert.match((yield* gateway.call("/client.js")).headers["content-type"] ?? "", /^text\/javascript/)
      assert.equal((yield* gateway.append("s", { data: "1" })).status, 201)
      assert.equal((yield* gateway.call("/v1/sessions/s")).status, 200)
      Call.assertError(yield* gateway.call("/v1/sessions/unknown"), 404, "SESSION_NOT_FOUND")
      Call.assertError(yield* gateway.call("/v1/nothing"), 404, "NOT_FOUND")
      assert.equal(gateway.backend.calls().length, 4)
    })
  )

  it.scopedLive("sends the client no byte before the backend's answer, and its head at once after it (S5)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { backend } = gateway
      const held = yield* Effect.makeLatch()
      backend.onConnect(() => Effect.as(held.await, TestBackend.accept))
      const socket = yield* RawSocket.open(gateway.url)
      yield* socket.write(RawSocket.head("GET /sse/held HTTP/1.1"))
      yield* backend.connects(1)
      backend.onConnect(TestBackend.always(TestBackend.accept))
      yield* gateway.callsAfterAnother
      assert.equal(yield* socket.until(() => true), "")
      yield* held.open
      const text = yield* socket.until(isHeadThere)
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
      assert.ok(text.endsWith("\r\n\r\n"), "more than a head")
    })
  )

  it.scopedLive("is answered with the head of a stream that no one compresses or holds back (S6)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { client } = yield* gateway.accepted("/sse/x", { "Accept-Encoding": "gzip, br" })
      assert.deepEqual(
        Call.pick(
          client.headers,
          "content-type",
          "cache-control",
          "connection",
          "x-accel-buffering",
          "content-encoding"
        ),
        {
          "content-type": "text/event-stream",
          "cache-control": "no-cache, no-transform",
          connection: "keep-alive",
          "x-accel-buffering": "no",
          "content-encoding": undefined
        }
      )
    })
  )

  it.scopedLive("tells the backend every header of the client under its lower-case name (S7)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const socket = yield* RawSocket.open(gateway.url)
      yield* socket.write(
        RawSocket.head("GET /sse/x HTTP/1.1", [
          "Authorization: Bearer a.b-c",
          'Cookie: a=1; b="two"',
          "Last-Event-ID: e.7",
          "X-Custom: Value, with: signs",
          "X-Empty:"
        ])
      )
      yield* socket.until(isHeadThere)
      const [call] = yield* gateway.backend.connects(1)
      assert.ok(call)
      assert.deepEqual(
        Call.pick(call.request.headers, "authorization", "cookie", "last-event-id", "x-custom", "x-empty", "host"),
        {
          authorization: "Bearer a.b-c",
          cookie: 'a=1; b="two"',
          "last-event-id": "e.7",
          "x-custom": "Value, with: signs",
          "x-empty": "",
          host: "127.0.0.1"
        }
      )
      assert.doesNotMatch(call.text, /null|undefined/)
      for (const [name, value] of Object.entries(call.request.headers)) {
        assert.equal(name, name.toLowerCase())
        assert.ok(typeof value === "string" || Array.isArray(value), name)
      }
    })
  )

  it.scopedLive("tells the backend a header that came twice as one, and one of any name (S7)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const socket = yield* RawSocket.open(gateway.url)
      const head = RawSocket.head("GET /sse/x HTTP/1.1", [
        "X-A: 1",
        "Cookie: a=1",
        "x-a: 2",
        "Cookie: b=2",
        "Authorization: first",
        "Authorization: second",
        "__proto__: p",
        "constructor: c",
        "X-Latin: \u00e9"
      ])
      yield* socket.writeBytes(Buffer.from(head, "latin1"))
      yield* socket.until(isHeadThere)
      const [call] = yield* gateway.backend.connects(1)
      assert.deepEqual(Object.entries(call?.request.headers ?? {}).sort(), [
        ["__proto__", "p"],
        ["authorization", "first"],
        ["constructor", "c"],
        ["cookie", "a=1; b=2"],
        ["host", "127.0.0.1"],
        ["x-a", "1, 2"],
        ["x-latin", "\u00e9"]
      ])
    })
  )

  it.scopedLive("of an HTTP/1.0 peer has a stream of plain bytes that ends with the socket (S6)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const socket = yield* RawSocket.open(gateway.url)
      yield* socket.write("GET /sse/old HTTP/1.0\r\n\r\n")
      const [head = ""] = (yield* socket.until(isHeadThere)).split("\r\n\r\n")
      assert.match(head, /\r\nConnection: close(?:\r\n|$)/)
      assert.doesNotMatch(head, /Transfer-Encoding|Content-Length/i)
      yield* gateway.mustSend({ token: gateway.tokenOf("/sse/old"), event: { data: "plain" }, close: true })
      assert.equal(yield* socket.closed, `${head}\r\n\r\ndata: plain\n\n`)
    })
  )

  it.scopedLive("may be read by the pages of listed origins alone, accepted or refused (S153)", () =>
    Effect.gen(function* () {
      const listed = "http://a.example"
      const gateway = yield* Gateway.make({ http: { corsOrigins: [listed] } })
      for (const status of [200, 403, 302]) {
        gateway.backend.onConnect(TestBackend.always(TestBackend.answer(status)))
        for (const [origin, allowed] of [
          [listed, listed],
          ["http://b.example", undefined]
        ] as const) {
          const client = yield* gateway.open("/sse/x", { Origin: origin })
          assert.equal(client.headers["access-control-allow-origin"], allowed, `${client.status} for ${origin}`)
        }
      }
    })
  )

  it.scopedLive("tells the backend no more headers than CALLBACK_HEADERS lists (S8)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { CALLBACK_HEADERS: "cookie,x-user" } })
      const padding = Object.fromEntries(
        Array.from({ length: 14 }, (_, index) => [`X-Large-${index}`, "x".repeat(1000)])
      )
      const { token } = yield* gateway.accepted("/sse/x", { ...padding, Cookie: "a=1", "X-User": "u", Accept: "*/*" })
      const [call] = yield* gateway.backend.connects(1)
      assert.ok(call)
      assert.equal(call.headers["content-encoding"], undefined)
      assert.deepEqual(call.json, {
        action: "connect",
        token,
        request: { url: "/sse/x", headers: { cookie: "a=1", "x-user": "u" } }
      })
    })
  )

  for (const status of [400, 401, 403, 404, 409, 418, 429, 500, 503]) {
    it.scopedLive(
      `that the backend answers with ${status} has that status, and nothing of the answer's body (S9)`,
      () =>
        Effect.gen(function* () {
          const gateway = yield* Gateway.make()
          const body = "<html>a secret of the backend</html>"
          gateway.backend.onConnect(
            TestBackend.always(
              TestBackend.answer(status, { body, headers: { "X-Secret": "also", "Set-Cookie": "s=1" } })
            )
          )
          const answer = yield* gateway.call("/sse/x")
          Gateway.assertRefused(answer, status, "BACKEND_ERROR")
          assert.doesNotMatch(answer.text, /secret|html/)
          assert.deepEqual([answer.headers["x-secret"], answer.headers["set-cookie"]], [undefined, undefined])
          yield* gateway.assertGone(gateway.tokenOf("/sse/x"))
          gateway.backend.onConnect(TestBackend.always(TestBackend.accept))
          assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [])
        })
    )
  }

  for (const [what, reply] of [
    ["204", TestBackend.answer(204)],
    ["200 without a body", TestBackend.accept],
    ["201 without a body", TestBackend.answer(201)],
    ["200 with a page", TestBackend.answer(200, { body: "<html>ok", headers: { "Content-Type": "text/html" } })],
    [
      "200 with a page that calls itself JSON",
      TestBackend.answer(200, { body: "<html>", headers: { "Content-Type": "application/json" } })
    ],
    ["200 with unknown fields", TestBackend.acceptWith({ ok: true, bindings: ["a.*"], callback: null })],
    ["200 with an array", TestBackend.acceptWith([1, 2])],
    ["200 with null", TestBackend.acceptWith(null)],
    ["200 with half a JSON text", TestBackend.answer(200, { body: '{"events":[' })],
    [
      "200 with a body in an unknown encoding",
      TestBackend.answer(200, { body: "\u0000\ufffd", headers: { "Content-Encoding": "gzip" } })
    ]
  ] as const) {
    it.scopedLive(`that the backend answers with ${what} is accepted, and what is not understood ignored (S15)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        gateway.backend.onConnect(TestBackend.always(reply))
        const { client, token } = yield* gateway.accepted()
        yield* gateway.say(token, "first")
        yield* client.take(1)
        assert.equal(client.text(), "data: first\n\n")
      })
    )
  }

  for (const status of [301, 302, 303, 307, 308]) {
    it.scopedLive(`that the backend answers with ${status} is 502, and nobody goes where it points (S14)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make()
        const { backend } = gateway
        const headers = { Location: new URL("/login", backend.url).href }
        backend.onConnect(TestBackend.always(TestBackend.answer(status, { headers })))
        Gateway.assertRefused(yield* gateway.call("/sse/x"), 502, "BACKEND_ERROR")
        yield* gateway.assertGone(gateway.tokenOf("/sse/x"))
        backend.onConnect(TestBackend.always(TestBackend.accept))
        assert.deepEqual(
          (yield* gateway.callsAfterAnother).map(({ action, target }) => [action, target]),
          [["connect", "/callback"]]
        )
      })
    )
  }
})

describe("a backend that cannot be reached", () => {
  it.scopedLive("is 503 when its port refuses, and it hears nothing of that later (S12)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      yield* gateway.backend.stop
      Gateway.assertRefused(yield* gateway.call("/sse/x"), 503, "BACKEND_UNAVAILABLE")
      yield* gateway.backend.start
      assert.deepEqual(yield* gateway.callsAfterAnother, [])
    })
  )

  it.scopedLive("is 503 when its name has no address, also one that speaks of a timeout (S12, S13)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { CALLBACK_URL: "http://timeout.test/callback" } })
      Gateway.assertRefused(yield* gateway.call("/sse/x"), 503, "BACKEND_UNAVAILABLE")
    })
  )

  it.scopedLive("is 503 when it resets before the answer, and hears of the end, as it may have said yes (S12)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      gateway.backend.onConnect(TestBackend.always(TestBackend.reset))
      Gateway.assertRefused(yield* gateway.call("/sse/x"), 503, "BACKEND_UNAVAILABLE")
      const token = gateway.tokenOf("/sse/x")
      yield* gateway.assertGone(token)
      yield* gateway.backend.disconnects(1)
      gateway.backend.onConnect(TestBackend.always(TestBackend.accept))
      const calls = yield* gateway.callsAfterAnother
      assert.deepEqual(Gateway.told(calls, "connect"), [{ token, reason: "" }])
      assert.deepEqual(Gateway.told(calls, "disconnect"), [{ token, reason: "error" }])
    })
  )

  it.scopedLive("is 503 when none is configured, no call goes out, and sessions work (S12)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { CALLBACK_URL: "" } })
      Gateway.assertRefused(yield* gateway.call("/sse/x"), 503, "SERVICE_NOT_CONFIGURED")
      yield* gateway.add("s", { data: "1" })
      const client = yield* gateway.watch("s", "from=start")
      yield* client.named("sluice.live")
      assert.deepEqual(gateway.backend.calls(), [])
    })
  )
})

describe("CALLBACK_SECRET", () => {
  const secret = "secret-of-both~1"

  const assertSigned = ({ headers, text }: TestBackend.Call) => {
    const timestamp = String(headers["x-sluice-timestamp"])
    assert.match(timestamp, /^\d+$/)
    assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60, "not in seconds")
    const hex = createHmac("sha256", secret).update(`${timestamp}.${text}`).digest("hex")
    assert.equal(headers["x-sluice-signature"], `sha256=${hex}`)
  }

  for (const sendSecret of [false, true]) {
    const also = sendSecret ? "and is sent along for old backends" : "and is sent to nobody"
    it.scopedLive(`signs connect and disconnect over time and body, ${also} (S17)`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make({
          env: { CALLBACK_SECRET: secret, CALLBACK_SEND_SECRET: String(sendSecret) }
        })
        // Beyond ASCII, since it is bytes that are signed.
        const { client } = yield* gateway.accepted("/sse/x", { "X-User": "\u00e9" })
        yield* client.abort
        yield* gateway.backend.disconnects(1)
        const calls = gateway.backend.calls()
        assert.deepEqual(
          calls.map(({ action }) => action),
          ["connect", "disconnect"]
        )
        for (const call of calls) {
          assertSigned(call)
          assert.equal(call.headers["x-sse-gateway-secret"], sendSecret ? secret : undefined)
        }
      })
    )
  }

  it.scopedLive("is not needed: without it nothing is signed (S17)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      yield* gateway.accepted()
      const [call] = yield* gateway.backend.connects(1)
      assert.ok(call)
      assert.deepEqual(
        Object.keys(call.headers).filter((name) => name.startsWith("x-s")),
        []
      )
    })
  )
})

describe("what opens no stream", () => {
  it.scopedLive("is a client over SLUICE_MAX_CONNECTIONS: 503, and the backend is not asked (S18)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ connection: { maxConnections: 2 } })
      const first = yield* gateway.accepted()
      yield* gateway.accepted()
      const answer = yield* gateway.call("/sse/third")
      Gateway.assertRefused(answer, 503, "OVERLOADED")
      assert.match(answer.headers["retry-after"] ?? "", /^\d+$/)
      assert.equal(gateway.backend.calls().length, 2)
      assert.equal((yield* gateway.openTokens).length, 2)
      // The place that was left is taken.
      yield* first.client.abort
      yield* gateway.backend.disconnects(1)
      yield* gateway.accepted()
    })
  )

  it.scopedLive("is a client over SLUICE_MAX_CONNECTIONS while the backend thinks about others (S18)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ connection: { maxConnections: 2 } })
      const held = yield* Effect.makeLatch()
      gateway.backend.onConnect(() => Effect.as(held.await, TestBackend.accept))
      const waiting = yield* Effect.replicateEffect(Effect.fork(gateway.accepted()), 2)
      yield* gateway.backend.connects(2)
      Gateway.assertRefused(yield* gateway.call("/sse/third"), 503, "OVERLOADED")
      yield* held.open
      yield* Fiber.joinAll(waiting)
      assert.equal(gateway.backend.calls().length, 2)
    })
  )

  it.scopedLive("is HEAD, POST, PUT, DELETE or OPTIONS: the backend is not asked (S18)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      for (const method of ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) {
        const answer = yield* gateway.call("/sse/x", { method })
        assert.notEqual(answer.status, 200, method)
        assert.notEqual(answer.headers["content-type"], "text/event-stream", method)
      }
      assert.deepEqual(yield* gateway.callsAfterAnother, [])
      assert.deepEqual(yield* gateway.connections, [])
    })
  )
})

describe("a stream without traffic", () => {
  it.scopedLive("has nothing but heartbeats, no greatest age, and one disconnect when its client leaves (S19)", () =>
    Effect.gen(function* () {
      const heartbeat = Duration.millis(200)
      const gateway = yield* Gateway.make({ connection: { heartbeat, maxAge: Duration.millis(300) } })
      const { client, token } = yield* gateway.accepted()
      // One that has a greatest age comes and goes meanwhile.
      const session = yield* gateway.watch("s")
      yield* session.ended
      yield* client.until((text) => text.length >= 5 * ": heartbeat\n\n".length)
      assert.match(client.text(), /^(: heartbeat\n\n){5,}$/)
      assert.deepEqual(Gateway.told(yield* gateway.callsAfterAnother, "disconnect"), [])
      yield* client.abort
      yield* gateway.backend.disconnects(1, token)
      const calls = yield* gateway.callsAfterAnother
      assert.deepEqual(
        Gateway.told(calls, "disconnect").filter((call) => call.token === token),
        [{ token, reason: "client_closed" }]
      )
    })
  )
})

describe("many connects at once", () => {
  it.scopedLive("are accepted side by side: one that waits for its answer holds up no other (S5)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const held = yield* Effect.makeLatch()
      gateway.backend.onConnect(({ request }) =>
        request.url === "/sse/held" ? Effect.as(held.await, TestBackend.accept) : Effect.succeed(TestBackend.accept)
      )
      const waiting = yield* Effect.fork(gateway.accepted("/sse/held"))
      yield* gateway.backend.connects(1)
      yield* Effect.all(
        Array.from({ length: 50 }, () => gateway.accepted()),
        { concurrency: 50 }
      )
      yield* held.open
      const { client, token } = yield* Fiber.join(waiting)
      yield* gateway.say(token, "now")
      yield* client.take(1)
    })
  )
})
