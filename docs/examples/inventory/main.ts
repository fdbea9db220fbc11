import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { FileSystem, HttpServer } from "@effect/platform"
import { NodeContext, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer } from "effect"
import { TaskRoutes } from "sluice/backend"
import { Listening, OneProcess, ServerConfig, SqliteStore } from "sluice/server"
import * as Routes from "./Routes.ts"

/** The folder that is looked at, where this listens, and what is deployed. */
const settings = Config.all({
  folder: Config.withDefault(Config.string("FOLDER"), "."),
  port: Config.withDefault(Config.integer("PORT"), 3000),
  version: Config.withDefault(Config.string("VERSION"), "1.0.0")
})

const app = Effect.gen(function* () {
  const { folder, port, version } = yield* settings
  const files = yield* FileSystem.FileSystem
  const page = yield* files.readFileString(fileURLToPath(new URL("page.html", import.meta.url)))
  const routes = Layer.merge(Routes.layer({ folder, page }), TaskRoutes.layer())
  const served = OneProcess.serve(
    { ...ServerConfig.inMemory, store: { _tag: "Sqlite", filename: "inventory-sluice.db", durability: "power" } },
    {
      versions: { current: Effect.succeed({ version }) },
      retained: SqliteStore.layer({ filename: "inventory.db", durability: "power" })
    },
    routes
  )
  const listening = Layer.effectDiscard(
    HttpServer.addressFormattedWith((address) => Console.log(`inventory of ${folder} at ${address}`))
  )
  return Layer.merge(served, listening).pipe(
    Layer.provide(NodeHttpServer.layer(() => createServer(Listening.serverOptions), { port, host: "127.0.0.1" }))
  )
})

NodeRuntime.runMain(Layer.launch(Layer.provide(Layer.unwrapEffect(app), NodeContext.layer)))
