import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { api } from "../domain/Api.ts"
import * as AppendBody from "../domain/AppendBody.ts"
import type { RetainedKey } from "../domain/RetainedEvent.ts"
import { Retained } from "../gateway/Retained.ts"
import * as JsonBody from "./JsonBody.ts"
import { answered } from "./PlatformErrors.ts"
import { RequestBodies } from "./RequestBodies.ts"

/** Put, get and delete the last value under a key (contract §2). */
export const layer = (options: { readonly maxEventBytes: number }) =>
  HttpApiBuilder.group(api, "retained", (handlers) =>
    Effect.gen(function* () {
      const retained = yield* Retained
      const bodies = yield* RequestBodies

      const put = (key: RetainedKey, json: unknown) =>
        Effect.gen(function* () {
          const event = yield* AppendBody.readEvent(json, "", options.maxEventBytes)
          return { key, connections: yield* retained.put(key, event) }
        })

      const get = (key: RetainedKey) =>
        Effect.map(retained.get(key), ({ at, data, name }) => ({ key, name, data, at: new Date(at).toISOString() }))

      return handlers
        .handleRaw("putRetained", ({ path, request }) =>
          answered(
            JsonBody.read(request, bodies).pipe(
              Effect.flatMap((json) => put(path.key, json)),
              Effect.flatMap((taken) => Effect.orDie(HttpServerResponse.json(taken)))
            )
          )
        )
        .handle("getRetained", ({ path }) => answered(get(path.key)))
        .handle("removeRetained", ({ path }) => answered(retained.remove(path.key)))
    })
  )
