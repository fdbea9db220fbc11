import * as assert from "node:assert/strict"
import { createServer } from "node:http"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Redacted, Scope } from "effect"
import * as Listening from "../../src/server/Listening.ts"
import * as Server from "../../src/server/Server.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestServer from "../../src/testing/TestServer.ts"

const own = HttpLayerRouter.add("GET", "/mine", HttpServerResponse.text("mine"))

const mounted = (overrides: TestServer.Overrides = {}) =>
  Server.serve(TestServer.config(overrides), own).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(() => createServer(Listening.serverOptions), { port: 0, host: "127.0.0.1" })
    )
  )

const url = Effect.map(HttpServer.HttpServer, ({ address }) =>
  address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : assert.fail("no port")
)

const status = (target: string, init: RequestInit = {}) =>
  Effect.promise(() =>
    fetch(target, init).then(async (response) => {
      await response.arrayBuffer()
      return response.status
    })
  )

describe("a server in the router of an application", () => {
  it.scopedLive("answers what is its own, by its own rules, and leaves the rest to the application", () =>
    Effect.gen(function* () {
      const at = yield* url
      const session = `${at}/v1/sessions/s/events`
      const body = '{"data":"x"}'
      assert.equal(yield* status(`${at}/mine`), 200)
      assert.equal(yield* status(session, { method: "POST", body }), 401)
      const headers = { Authorization: "Bearer k3y" }
      assert.equal(yield* status(session, { method: "POST", body, headers }), 201)
      assert.equal(yield* status(session, { method: "PUT", body, headers }), 405)
      assert.equal(yield* status(`${at}/internal/send`, { method: "POST", body: "{}" }), 401)
      assert.equal(yield* status(`${at}/sse/x`), 503)
      for (const path of ["/healthz", "/client.js"]) assert.equal(yield* status(`${at}${path}`), 200)
      for (const path of ["/", "/nothing"]) assert.equal(yield* status(`${at}${path}`), 404)
    }).pipe(Effect.provide(mounted({ http: { apiKey: Redacted.make("k3y") } })))
  )

  it.scopedLive("holds no fiber for a stream whose client has left", () =>
    Effect.gen(function* () {
      const at = yield* url
      const client = yield* StreamClient.open(`${at}/v1/sessions/s/stream`)
      yield* client.named("sluice.live")
      yield* client.abort
      yield* Effect.repeat(
        Effect.promise(() => fetch(`${at}/v1/connections`).then((response) => response.text())),
        { until: (text) => text === '{"connections":[]}' }
      )
    }).pipe(Effect.provide(mounted()))
  )

  it.scopedLive("says goodbye to its streams when the application closes, and holds up nothing", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Scope.extend(Layer.build(mounted({ listen: { drain: Duration.seconds(20) } })), scope)
      const at = yield* Effect.provide(url, context)
      const client = yield* StreamClient.open(`${at}/v1/sessions/s/stream`)
      yield* client.named("sluice.live")
      yield* Scope.close(scope, Exit.void)
      const { isComplete, text } = yield* client.ended
      assert.match(text, /event: sluice.bye\ndata: \{"reason":"shutdown"/)
      assert.equal(isComplete, true)
    })
  )
})
