import { createServer } from "node:http"
import { HttpLayerRouter } from "@effect/platform"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, type Redacted } from "effect"
import { Backend, CallbackRoute, HttpGateway, MemoryRetainedStore, TaskRoutes } from "sluice/backend"

/** The application in a process of its own. `npx sluice` is the other one, with CALLBACK_URL=http://…/api/sse/callback. */
export const layer = (options: {
  readonly port: number
  readonly gateway: URL
  readonly key: Redacted.Redacted | undefined
  readonly secret: Redacted.Redacted
}) =>
  HttpLayerRouter.serve(
    Layer.merge(CallbackRoute.layer({ secret: options.secret }), TaskRoutes.layer()).pipe(
      Layer.provideMerge(Backend.layer({ versions: { current: Effect.succeed({ version: "1.2.3" }) } })),
      Layer.provide(HttpGateway.layer({ url: options.gateway, key: options.key })),
      Layer.provide(NodeHttpClient.layerUndici),
      Layer.provide(MemoryRetainedStore.layer)
    ),
    { disableLogger: true }
  ).pipe(Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: options.port, host: "127.0.0.1" })))
