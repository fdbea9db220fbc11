import * as assert from "node:assert/strict"
import { createServer } from "node:http"
import * as HttpServer from "@effect/platform/HttpServer"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Shutdown } from "../../src/backend/Shutdown.ts"
import { Tasks } from "../../src/backend/Tasks.ts"
import { Listening, serverOptions } from "../../src/server/Listening.ts"
import * as OneProcess from "../../src/server/OneProcess.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestServer from "../../src/testing/TestServer.ts"

const options = {
  versions: { current: Effect.succeed({ version: "1" }) },
  retained: MemoryRetainedStore.layer
}

/** What an application does in the stop, in the order in which it was done. */
const done: Array<string> = []
const application = Layer.scopedDiscard(
  Effect.flatMap(Shutdown, ({ onPrepare, onStop }) =>
    Effect.zipRight(
      onPrepare(
        "own",
        Effect.sync(() => void done.push("prepare"))
      ),
      onStop(
        "own",
        Effect.sync(() => void done.push("stop"))
      )
    )
  )
)

const listening = OneProcess.layer(TestServer.config(), options, application)

const served = OneProcess.serve(TestServer.config(), options, Layer.empty).pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => createServer(serverOptions), { port: 0, host: "127.0.0.1" }))
)

const urlOf = (context: Context.Context<HttpServer.HttpServer>) => {
  const { address } = Context.get(context, HttpServer.HttpServer)
  return address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : assert.fail("no port")
}

const status = (target: string) =>
  Effect.promise(() =>
    fetch(target).then(async (response) => {
      await response.arrayBuffer()
      return response.status
    })
  )

/** What the stop of both halves does, while a task runs. */
const stops = (url: string, context: Context.Context<Tasks>, scope: Scope.CloseableScope) =>
  Effect.gen(function* () {
    const tasks = Context.get(context, Tasks)
    const goOn = yield* Effect.makeLatch()
    const client = yield* StreamClient.open(`${url}/sse/news?request_id=R1`)
    const session = yield* StreamClient.open(`${url}/v1/sessions/s/stream`)
    yield* client.named("snapshot")
    yield* session.named("sluice.live")
    yield* tasks.run("import", goOn.await)
    const stopping = yield* Effect.fork(Scope.close(scope, Exit.void))
    yield* Effect.repeat(status(`${url}/readyz`), { until: (answered) => answered === 503 })
    assert.equal(yield* status(`${url}/sse/news?request_id=R2`), 503)
    yield* goOn.open
    yield* Fiber.join(stopping)
    const { text } = yield* client.ended
    assert.match(text, /"status":"completed"/)
    assert.match((yield* session.ended).text, /sluice.bye\ndata: \{"reason":"shutdown"/)
  })

describe("both halves of the gateway in one process", () => {
  it.scopedLive("stop in one order: nobody new, the task is awaited and told, then goodbye (S44)", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Scope.extend(Layer.build(listening), scope)
      yield* stops(Context.get(context, Listening).url, context, scope)
      assert.deepEqual(done, ["prepare", "stop"])
    })
  )

  it.scopedLive("stop in the same order in the router of an application, which answers meanwhile", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Scope.extend(Layer.build(served), scope)
      yield* stops(urlOf(context), context, scope)
    })
  )

  it.scopedLive("share nothing with another server in the same graph (S157)", () =>
    Effect.gen(function* () {
      const [one, other] = yield* Effect.all([
        Layer.build(Layer.map(listening, (context) => Context.make(Listening, Context.get(context, Listening)))),
        Layer.build(listening)
      ])
      const urls = [Context.get(one, Listening).url, Context.get(other, Listening).url]
      assert.equal(new Set(urls).size, 2)
    })
  )
})
