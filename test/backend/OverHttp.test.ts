import * as assert from "node:assert/strict"
import { createServer } from "node:http"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import * as CallbackRoute from "../../src/backend/CallbackRoute.ts"
import { ConnectionManager } from "../../src/backend/ConnectionManager.ts"
import * as HttpGateway from "../../src/gateway/HttpGateway.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import { freePort } from "../scenarios/ServerProcess.ts"

const secret = Redacted.make("s3cret")
const key = Redacted.make("k3y")

/** An application in front of a gateway, as two processes have them. */
const application = (port: number, gateway: string, version: string) =>
  HttpLayerRouter.serve(
    CallbackRoute.layer({ secret }).pipe(
      Layer.provideMerge(Backend.layer({ versions: { current: Effect.succeed({ version }) } })),
      Layer.provide(HttpGateway.layer({ url: new URL(gateway), key })),
      Layer.provide([FetchHttpClient.layer, MemoryRetainedStore.layer])
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(Layer.provide(NodeHttpServer.layer(() => createServer(), { port, host: "127.0.0.1" })))

const versions = (client: StreamClient.StreamClient) =>
  client.events().flatMap(({ data, name }) => (name === "version" ? [JSON.parse(data).version] : []))

const snapshots = (client: StreamClient.StreamClient) =>
  client.events().flatMap(({ data, name }) => (name === "snapshot" ? [String(JSON.parse(data).cursor)] : []))

describe("an application and its gateway, over HTTP", () => {
  it.scopedLive("after its restart it knows who is connected, tells them anew, and hears of the next end (S142)", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const url = new URL(`http://127.0.0.1:${port}/api/sse/callback`)
      // The application goes first: what it is owed then stays owed.
      const listen = { drain: Duration.millis(300) }
      const gateway = yield* TestServer.make({ callback: { url, secret }, http: { apiKey: key }, listen })
      const opened = StreamClient.open(`${gateway.url}/sse/news?request_id=R1`)

      const client = yield* opened.pipe(
        Effect.tap((client) => client.named("snapshot")),
        Effect.provide(application(port, gateway.url, "1"))
      )
      yield* Effect.gen(function* () {
        const manager = yield* ConnectionManager
        yield* client.until((text) => text.split("event: snapshot").length === 3)
        assert.deepEqual(versions(client), ["1", "2"])
        const cursors = snapshots(client)
        assert.equal(new Set(cursors).size, 2)
        assert.ok(cursors.every((cursor) => cursor.endsWith(".0")))
        assert.equal(yield* manager.send("R1", { name: "again", data: "here" }), true)
        assert.equal((yield* client.named("again")).data, "here")
        yield* client.abort
        yield* Effect.repeat(manager.send("R1", { name: "again", data: "gone" }), { until: (taken) => !taken })
        assert.equal(manager.find("R1"), undefined)
      }).pipe(Effect.provide(application(port, gateway.url, "2")))
    })
  )

  it.scopedLive(
    "refuses a callback that another secret has signed, which its gateway tells the client as 401 (S140)",
    () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const url = new URL(`http://127.0.0.1:${port}/api/sse/callback`)
        const gateway = yield* TestServer.make({ callback: { url, secret: Redacted.make("another") } })
        yield* Effect.gen(function* () {
          const manager = yield* ConnectionManager
          const client = yield* StreamClient.open(`${gateway.url}/sse/news?request_id=R1`)
          assert.equal(client.status, 401)
          assert.deepEqual(manager.all(), [])
        }).pipe(Effect.provide(application(port, gateway.url, "1")))
      })
  )
})
