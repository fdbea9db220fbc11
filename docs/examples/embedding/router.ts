import { createServer } from "node:http"
import { HttpLayerRouter, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Layer } from "effect"
import { Listening, Server, ServerConfig } from "sluice/server"

const hello = HttpLayerRouter.add("GET", "/", HttpServerResponse.text("my application"))

/** Everything on one port: what is not the application's own goes to Sluice. */
export const layer = (port: number) =>
  Server.serve(ServerConfig.inMemory, hello).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(Listening.serverOptions), { port, host: "127.0.0.1" }))
  )
