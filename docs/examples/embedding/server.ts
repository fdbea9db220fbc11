import { NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Listening, Server, ServerConfig } from "sluice/server"

const server = Server.layer({
  ...ServerConfig.inMemory,
  store: { _tag: "Sqlite", filename: "app.db", durability: "power" }
})
const said = Layer.effectDiscard(Effect.flatMap(Listening.Listening, ({ url }) => Effect.log(`listening on ${url}`)))
NodeRuntime.runMain(Layer.launch(Layer.provide(said, server)))
