/** The routes of this server within the router of an application. */
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
import * as Paths from "../protocol/Paths.ts"
import { Listener } from "./Listener.ts"

/** `/metrics`, `/healthz` and `/readyz` too; the page at `/` is the application's. */
const paths = [Paths.clientScript, Paths.healthz, Paths.readyz, "/metrics", Paths.internalSend, "/v1/*"] as const

/**
 * Each request is handed to the listener on the bare response. A fiber of the router waits beside each open stream, at some 30 KB:
 * for many thousand of them let Sluice listen on a port of its own.
 */
export const layer = ({ prefix }: { readonly prefix: string }) =>
  HttpLayerRouter.use((router) =>
    Effect.gen(function* () {
      const listener = yield* Listener

      /** Interrupted when the client leaves; the listener sees its socket close. */
      const handed = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.async<HttpServerResponse.HttpServerResponse>((resume) => {
          const response = NodeHttpServerRequest.toServerResponse(request)
          response.once("finish", () => resume(Effect.succeed(HttpServerResponse.empty())))
          listener(NodeHttpServerRequest.toIncomingMessage(request), response)
        })

      // `/*` takes what is below, and with it `/` itself.
      const streams = prefix === "" ? "/*" : (`/${prefix.slice(1)}/*` as const)
      for (const path of [...paths, streams] as const) yield* router.add("*", path, handed)
    })
  )
