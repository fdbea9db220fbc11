import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Either, Redacted } from "effect"
import { BackendRedirected, BackendRefused } from "../../src/callback/Callbacks.ts"
import * as CallbackSignature from "../../src/callback/CallbackSignature.ts"
import * as ConnectAnswer from "../../src/domain/ConnectAnswer.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import { call, callbacks, http, signed } from "./RawBackend.ts"

/** What one connect comes to when the backend gives this answer to it. */
const answered = (reply: TestBackend.Reply) =>
  Effect.gen(function* () {
    const backend = yield* TestBackend.make
    backend.onConnect(TestBackend.always(reply))
    const { connect } = yield* callbacks(backend.url)
    const outcome = yield* Effect.either(connect(call))
    return { outcome, calls: backend.calls() }
  })

describe("a callback", () => {
  it.scopedLive("is JSON with the client's request pasted in as it is: white space, order and escapes too", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const { connect, disconnect } = yield* callbacks(`${backend.url}?from=sluice`)
      const request = `{ "url" : "/sse/\\u0061?q=\\"é\\"", "headers" : {"b":"2","a":"1"} }`
      yield* connect({ token: 'a"b', request })
      yield* disconnect({ token: "t", request, reason: "slow_consumer" })
      const [first, second] = backend.calls()
      assert.equal(first?.text, `{"action":"connect","token":"a\\"b","request":${request}}`)
      assert.equal(second?.text, `{"action":"disconnect","reason":"slow_consumer","token":"t","request":${request}}`)
      for (const { headers, method, target } of [first, second]) {
        assert.deepEqual([method, target], ["POST", "/callback?from=sluice"])
        assert.equal(headers["content-type"], "application/json")
        for (const name of ["content-encoding", "transfer-encoding", "authorization"]) {
          assert.equal(headers[name], undefined, name)
        }
      }
    })
  )

  it.scopedLive("of 14 KiB is sent in one plain piece (S8)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const { connect } = yield* callbacks(backend.url)
      const request = JSON.stringify({ url: "/sse", headers: { cookie: "é".repeat(7000) } })
      yield* connect({ ...call, request })
      const [heard] = backend.calls()
      assert.equal(heard?.text, `{"action":"connect","token":"t-1","request":${request}}`)
      assert.equal(Number(heard.headers["content-length"]), Buffer.byteLength(heard.text))
    })
  )

  it.scopedLive("has the user and password of the URL as Basic authorisation, and not in its target", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const { connect } = yield* callbacks(backend.url.replace("http://", "http://us%C3%A9r:p%40s:%zz@"))
      yield* connect(call)
      const [heard] = backend.calls()
      const basic = Buffer.from("usér:p@s:%zz").toString("base64")
      assert.deepEqual([heard?.target, heard?.headers.authorization], ["/callback", `Basic ${basic}`])
    })
  )

  it.scoped("is signed over its time and its body, in seconds; the secret goes along only when told to (S17)", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const secret = Redacted.make("shared secret")
      for (const sendSecret of [false, true]) {
        const { connect } = yield* signed(backend.url, secret, sendSecret)
        yield* connect(call)
      }
      for (const [index, { headers, text }] of backend.calls().entries()) {
        assert.equal(headers["x-sluice-timestamp"], "0")
        const signature = headers["x-sluice-signature"]
        assert.equal(signature, CallbackSignature.sign(secret, "0", text))
        assert.equal(headers["x-sse-gateway-secret"], index === 1 ? "shared secret" : undefined)
      }
    })
  )

  it.scopedLive("without a secret has no header of the signature", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const { connect } = yield* callbacks(backend.url, { sendSecret: true })
      yield* connect(call)
      const names = Object.keys(backend.calls()[0]?.headers ?? {})
      assert.deepEqual(
        names.filter((name) => name.startsWith("x-")),
        []
      )
    })
  )
})

describe("a 2xx", () => {
  const bodies: ReadonlyArray<readonly [says: string, status: number, body: string]> = [
    ["204", 204, ""],
    ["an empty 200", 200, ""],
    ["an HTML 200", 200, "<html>welcome</html>"],
    ["a JSON 201 with other fields", 201, `{"ok":true,"user":{"id":7}}`],
    ["a 299", 299, "null"]
  ]
  for (const [says, status, body] of bodies) {
    it.scopedLive(`accepts: ${says} binds nothing (S15)`, () =>
      Effect.gen(function* () {
        const { outcome } = yield* answered(TestBackend.answer(status, { body }))
        assert.deepEqual(outcome, Either.right(ConnectAnswer.nothing))
      })
    )
  }

  it.scopedLive("binds what it says (S16), with or without a byte order mark", () =>
    Effect.gen(function* () {
      const body = JSON.stringify({ request_id: "R1", events: [{ data: "é" }], expires_in: 60 })
      for (const mark of ["", "\ufeff"]) {
        const { outcome } = yield* answered(TestBackend.answer(200, { body: mark + body }))
        assert.deepEqual(
          outcome,
          Either.right({
            requestId: "R1",
            watch: [],
            events: [{ name: undefined, data: "é" }],
            expiresIn: Duration.seconds(60)
          })
        )
      }
    })
  )

  it.scopedLive("has what it says badly ignored, and told in the log with the token", () =>
    Effect.gen(function* () {
      const { outcome } = yield* answered(TestBackend.acceptWith({ request_id: 7, watch: [{ session: "a b" }] }))
      assert.deepEqual(outcome, Either.right(ConnectAnswer.nothing))
      const [line, ...more] = yield* CapturedLog.CapturedLog
      assert.equal(line?.level, "WARN")
      assert.match(line.text, /request_id must .*; watch\[0\]\.session must .* token=t-1$/)
      assert.deepEqual(more, [])
    }).pipe(Effect.provide(CapturedLog.layer))
  )

  const withText = (length: number) => `{"request_id":"R1","more":"${"x".repeat(length - 29)}"}`

  it.scopedLive("is read up to 64 KiB", () =>
    Effect.gen(function* () {
      const body = withText(64 * 1024)
      assert.equal(body.length, 64 * 1024)
      const { outcome } = yield* answered(TestBackend.answer(200, { body }))
      assert.equal(Either.getOrThrow(outcome).requestId, "R1")
    })
  )

  for (const length of [64 * 1024 + 1, 20 * 1024 * 1024]) {
    it.scopedLive(`of ${length} bytes accepts, binds nothing and is told in the log (S15)`, () =>
      Effect.gen(function* () {
        const { outcome } = yield* answered(TestBackend.answer(200, { body: withText(length) }))
        assert.deepEqual(outcome, Either.right(ConnectAnswer.nothing))
        const [line] = yield* CapturedLog.CapturedLog
        assert.match(line?.text ?? "", /more than 64 KiB.* token=t-1$/)
      }).pipe(Effect.provide(CapturedLog.layer))
    )
  }

  it.scopedLive("may be announced by a 103", () =>
    Effect.gen(function* () {
      const { url } = yield* http((_, response) => {
        response.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => response.end(`{"request_id":"R1"}`))
      })
      const { connect } = yield* callbacks(url)
      assert.equal((yield* connect(call)).requestId, "R1")
    })
  )
})

describe("another status", () => {
  for (const status of [400, 401, 403, 404, 409, 418, 429, 500, 503, 599]) {
    it.scopedLive(`is a no: ${status}, with its reason phrase and nothing of its body (S9)`, () =>
      Effect.gen(function* () {
        const { outcome } = yield* answered(TestBackend.answer(status, { reason: "Not Today", body: "a secret" }))
        assert.deepEqual(outcome, Either.left(new BackendRefused({ status, reason: "Not Today" })))
      })
    )
  }

  for (const status of [300, 301, 302, 303, 304, 307, 308]) {
    it.scopedLive(`is not followed: ${status}, and its target hears nothing (S14)`, () =>
      Effect.gen(function* () {
        const target = yield* TestBackend.make
        const { calls, outcome } = yield* answered(TestBackend.answer(status, { headers: { location: target.url } }))
        assert.deepEqual(outcome, Either.left(new BackendRedirected({ status })))
        assert.equal(calls.length, 1)
        assert.deepEqual(target.calls(), [])
      })
    )
  }
})
