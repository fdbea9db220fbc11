import { createServer } from "node:http"
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer } from "effect"
import { Server, ServerConfig } from "sluice/server"

const hello = HttpLayerRouter.add("GET", "/", HttpServerResponse.text("my application"))

/** Everything on one port: what is not the application's own goes to Sluice. */
export const layer = (port: number) =>
  HttpLayerRouter.serve(Layer.merge(hello, Server.mounted(ServerConfig.inMemory)), { disableLogger: true }).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port, host: "127.0.0.1" }))
  )
