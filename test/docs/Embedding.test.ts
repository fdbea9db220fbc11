import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { dirname } from "node:path"
import { HttpServer } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import * as Authentication from "../../docs/examples/embedding/authentication.ts"
import * as BackendExample from "../../docs/examples/embedding/backend.ts"
import * as OneProcessExample from "../../docs/examples/embedding/oneProcess.ts"
import * as RouterExample from "../../docs/examples/embedding/router.ts"
// Run in a process of its own; compiled here.
import type {} from "../../docs/examples/embedding/server.ts"
import * as SessionsExample from "../../docs/examples/embedding/sessions.ts"
import * as StoreExample from "../../docs/examples/embedding/store.ts"
import { CallbackHandler } from "../../src/backend/CallbackHandler.ts"
import { ConnectionManager } from "../../src/backend/ConnectionManager.ts"
import { Tasks } from "../../src/backend/Tasks.ts"
import { Listening } from "../../src/server/Listening.ts"
import { eventStoreContract } from "../../src/testing/EventStoreContract.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import { freePort } from "../scenarios/ServerProcess.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as ExampleProcess from "./ExampleProcess.ts"
import { fences } from "./RunnableBlocks.ts"

const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), "utf8")
const example = (file: string) => read(`examples/embedding/${file}`).trimEnd()

const serverUrl = Effect.map(HttpServer.HttpServer, ({ address }) =>
  address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : assert.fail("no port")
)

/** What a client of the gateway is told until a task of the application has ended. */
const aTaskIsTold = (url: string) =>
  Effect.gen(function* () {
    const tasks = yield* Tasks
    const client = yield* StreamClient.open(`${url}/sse/news?request_id=r1`)
    yield* client.named("snapshot")
    const { ended } = yield* tasks.run("import", Effect.void)
    assert.equal((yield* ended).status, "completed")
    yield* client.find(({ data, name }) => name === "task" && data.includes(`"status":"completed"`))
    assert.deepEqual(
      client.events().map(({ data, name }) => (name === "task" ? JSON.parse(data).status : name)),
      ["version", "snapshot", "running", "completed"]
    )
  })

describe("docs/embedding.md", () => {
  it("shows the examples that are compiled and run", () => {
    const files = [
      "server.ts",
      "router.ts",
      "sessions.ts",
      "store.ts",
      "oneProcess.ts",
      "backend.ts",
      "authentication.ts",
      "nightly.ts",
      "nightly.test.ts"
    ]
    const shown = fences(read("embedding.md")).filter(({ language }) => language === "ts")
    assert.deepEqual(
      shown.map(({ text }) => text.trimEnd()),
      files.map(example)
    )
  })

  it.scopedLive("is a whole server in three lines, whose events are there after a kill -9", () =>
    Effect.gen(function* () {
      const cwd = dirname(yield* TemporaryFile.make)
      const started = ExampleProcess.start("embedding/server.ts", { cwd })
      const events = (url: string) => `${url}/v1/sessions/s/events`
      const first = Effect.flatMap(started, (url) =>
        Effect.promise(() => fetch(events(url), { method: "POST", body: '{"data":"one"}' }))
      )
      assert.equal((yield* Effect.scoped(first)).status, 201)
      const url = yield* started
      const history = yield* Effect.promise(() => fetch(events(url)).then((response) => response.text()))
      assert.equal(JSON.parse(history).events[0].data, "one")
    })
  )

  it.scopedLive("serves sessions on the port of an application, which answers its own requests", () =>
    Effect.gen(function* () {
      const url = yield* serverUrl
      const text = (path: string, init?: RequestInit) =>
        Effect.promise(() => fetch(`${url}${path}`, init).then((response) => response.text()))
      assert.equal(yield* text("/"), "my application")
      const appended = yield* text("/v1/sessions/s/events", { method: "POST", body: '{"data":"one"}' })
      assert.equal(JSON.parse(appended).head, 1)
      const client = yield* StreamClient.open(`${url}/v1/sessions/s/stream?from=start`)
      yield* client.named("sluice.live")
      assert.deepEqual(
        client.events().map(({ name }) => name),
        ["sluice.hello", "message", "sluice.live"]
      )
      assert.equal(JSON.parse(yield* text("/readyz?for=sessions")).status, "ready")
    }).pipe(Effect.provide(RouterExample.layer(0)))
  )

  it.effect("appends to sessions without HTTP and reads them", () =>
    Effect.gen(function* () {
      assert.deepEqual(yield* SessionsExample.program, [
        "1 log compiling",
        "2 log done",
        '3 sluice.state {"state":"ENDED","from":"CREATED","reason":"built"}'
      ])
    }).pipe(Effect.provide(SessionsExample.layer))
  )

  it.scopedLive("has both halves in one process, which tells a client of its tasks", () =>
    Effect.gen(function* () {
      const { url } = yield* Listening
      yield* aTaskIsTold(url)
    }).pipe(Effect.provide(OneProcessExample.layer))
  )

  it.scopedLive("has the halves in two processes, with a secret and a key between them", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const secret = Redacted.make("s3cret")
      const key = Redacted.make("k3y")
      const url = new URL(`http://127.0.0.1:${port}/api/sse/callback`)
      // The application goes first: what it is owed then stays owed.
      const listen = { drain: Duration.millis(300) }
      const gateway = yield* TestServer.make({ callback: { url, secret }, http: { apiKey: key }, listen })
      const application = BackendExample.layer({ port, gateway: new URL(gateway.url), key, secret })
      yield* Effect.provide(aTaskIsTold(gateway.url), application)
    })
  )

  const accounts = Layer.succeed(
    Authentication.Accounts,
    Authentication.Accounts.of({ find: (cookie) => Effect.succeed(cookie === "sid=1" ? "ada" : undefined) })
  )
  it.effect("lets in who is logged in, as themselves, and nobody else", () =>
    Effect.gen(function* () {
      const { handle } = yield* CallbackHandler
      const connections = yield* ConnectionManager
      const connect = (token: string, cookie: string) =>
        handle({ action: "connect", token, request: { url: `/sse/x?request_id=${token}`, headers: { cookie } } })
      assert.deepEqual(yield* connect("a", "sid=1"), {
        request_id: "a",
        watch: [{ session: "inbox-ada" }],
        expires_in: 3600
      })
      const refused = yield* Effect.flip(connect("b", "sid=2"))
      assert.deepEqual([refused._tag, connections.all().map(({ subject }) => subject)], ["ConnectRefused", ["ada"]])
    }).pipe(
      Effect.provide(Layer.provide(Authentication.layer, [accounts, TestGateway.layer, MemoryRetainedStore.layer]))
    )
  )
})

describe("the store of docs/embedding.md", () => {
  for (const { holds, says } of eventStoreContract) {
    it.scoped(says, () =>
      Effect.flatMap(TemporaryFile.make, (file) =>
        Effect.provide(holds, Layer.provide(StoreExample.layer(file), NodeFileSystem.layer))
      )
    )
  }
})
