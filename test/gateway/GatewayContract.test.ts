import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { Gateway } from "../../src/gateway/Gateway.ts"
import * as HttpGateway from "../../src/gateway/HttpGateway.ts"
import { Listening } from "../../src/server/Listening.ts"
import * as Server from "../../src/server/Server.ts"
import * as GatewayClients from "../../src/testing/gateway/GatewayClients.ts"
import { gatewayContract } from "../../src/testing/GatewayContract.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as TestServer from "../../src/testing/TestServer.ts"

const key = Redacted.make("4f1c9a-of-the-contract")

type Engine = (own: Layer.Layer<Gateway>, url: string) => Layer.Layer<Gateway>

const engines: ReadonlyArray<readonly [string, Engine]> = [
  ["local", (own) => own],
  ["http", (_, url) => Layer.provide(HttpGateway.layer({ url: new URL(url), key }), NodeHttpClient.layerUndici)]
]

/** A server with a key and a backend, and its clients. */
const rooms = (engine: Engine) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const config = TestServer.config({ callback: { url: new URL(backend.url) }, http: { apiKey: key } })
      const server = yield* Layer.build(Server.layer(config))
      const { url } = Context.get(server, Listening)
      const gateway = engine(Layer.succeed(Gateway, Context.get(server, Gateway)), url)
      return Layer.provideMerge(GatewayClients.layer({ url, key, backend }), gateway)
    })
  )

for (const [name, engine] of engines) {
  layer(rooms(engine), { excludeTestServices: true })(`Gateway (${name}; S160)`, (it) => {
    for (const { holds, says } of gatewayContract) it.effect(says, () => holds)
  })
}
