import * as assert from "node:assert/strict"
import { layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Documented from "./Documented.ts"
import * as Proxy from "./Proxy.ts"

/** What the public SSEGateway writes when a stream is ready. */
const ready = "event: ready\ndata:\n\n"

/** An application as it was with the sidecar; only the sidecar is another one. */
const application = Effect.gen(function* () {
  const backend = yield* TestBackend.make
  const { host, origin } = new URL(backend.url)
  const server = yield* ServerProcess.started({
    SLUICE_GATEWAY_PROFILE: "ssegateway",
    CALLBACK_URL: `${origin}/api/sse/callback`,
    HEARTBEAT_INTERVAL_SECONDS: "1"
  })
  const proxy = yield* Proxy.nginx({
    target: server.url,
    configuration: Documented.read("sidecar.nginx.conf"),
    substitutions: [["127.0.0.1:5000", host]]
  })

  /** What the backend sends, to Sluice itself. */
  const send = (body: unknown) =>
    Effect.map(
      Requests.send(`${server.url}/internal/send`, { method: "POST", body: JSON.stringify(body) }),
      ({ status, text }) => assert.deepEqual([status, text], [200, '{"status":"ok"}'])
    )

  const connectOf = (target: string) =>
    backend.calls().find(({ action, request }) => action === "connect" && request.url === target) ??
    assert.fail(`no connect for ${target}`)

  return { backend, url: proxy.url, send, connectOf } as const
})

class Application extends Context.Tag("test/proxy/Application")<
  Application,
  Effect.Effect.Success<typeof application>
>() {}

layer(Layer.scoped(Application, application), { excludeTestServices: true })("in the place of the sidecar", (it) => {
  it.scoped("a stream is ready at once, and has the bytes that the sidecar would have written (S20, S56)", () =>
    Effect.gen(function* () {
      const { connectOf, send, url } = yield* Application
      const target = "/api/sse/stream?request_id=a%20b&x=/../y"
      const headers = { Host: "app.example.com", Cookie: "session=1" }
      const client = yield* StreamClient.open(`${url}${target}`, { headers })
      assert.deepEqual(
        [client.status, client.headers["content-type"], client.headers["cache-control"]],
        [200, "text/event-stream", "no-cache"]
      )
      yield* client.until((text) => text === ready)
      const { request, target: called, token } = connectOf(target)
      assert.equal(called, "/api/sse/callback")
      assert.deepEqual([request.headers["host"], request.headers["cookie"]], ["app.example.com", "session=1"])

      yield* send({ token, event: { name: "task", data: '{"done":1}' } })
      const frame = 'data: {"type":"task","payload":{"done":1}}\n\n'
      yield* client.until((text) => text.replaceAll(": heartbeat\n\n", "") === ready + frame)
      yield* client.until((text) => text.includes(": heartbeat\n\n"))
      yield* send({ token, event: { data: "bye" }, close: true })
      const { isComplete, text } = yield* client.ended
      assert.ok(isComplete, "cut off")
      assert.equal(text.replaceAll(": heartbeat\n\n", ""), `${ready}${frame}data: bye\n\n`)
    })
  )

  it.scoped("a refused client is told on a stream (S21)", () =>
    Effect.gen(function* () {
      const { backend, url } = yield* Application
      backend.onConnect(TestBackend.inTurn(TestBackend.answer(401), TestBackend.accept))
      const client = yield* StreamClient.open(`${url}/api/sse/refused`)
      assert.equal(client.status, 200)
      assert.deepEqual(yield* client.ended, {
        text: 'event: rejected\ndata: {"status":401,"message":"Unauthorized"}\n\n',
        isComplete: true
      })
    })
  )

  it.scoped("the backend hears of a client that leaves (S34)", () =>
    Effect.gen(function* () {
      const { backend, connectOf, url } = yield* Application
      const client = yield* StreamClient.open(`${url}/api/sse/left`)
      yield* client.until((text) => text.startsWith(ready))
      yield* client.abort
      const { request, token } = connectOf("/api/sse/left")
      const [disconnect] = yield* backend.disconnects(1, token)
      assert.deepEqual([disconnect?.reason, disconnect?.request], ["client_closed", request])
    })
  )

  it.scoped("all else is the application's own; the callback, and sends, are not for the outside", () =>
    Effect.gen(function* () {
      const { backend, url } = yield* Application
      const count = backend.calls().length
      const call = (method: "GET" | "POST", path: string) =>
        Effect.map(
          Requests.send(`${url}${path}`, { method, body: '{"token":"t"}', headers: { Host: "app.example.com" } }),
          ({ status }) => status
        )
      assert.equal(yield* call("POST", "/api/sse/callback"), 404)
      assert.equal(yield* call("GET", "/api/sse/callback"), 404)
      assert.equal(yield* call("POST", "/api/sse/stream"), 403)
      assert.deepEqual(backend.calls().length, count)

      // The backend of this test has no page: that it was asked is what counts.
      const paths = ["/page?x=%20", "/internal/send", "/v1/sessions", "/healthz"]
      for (const path of paths) yield* call("GET", path)
      yield* call("POST", "/internal/send")
      const asked = backend.calls().slice(count)
      assert.deepEqual(
        asked.map(({ target }) => target),
        [...paths, "/internal/send"]
      )
      for (const { headers } of asked) assert.equal(headers.host, "app.example.com")
    })
  )
})
