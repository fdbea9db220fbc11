import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { api, type WatchBody } from "../domain/Api.ts"
import { answered } from "./PlatformErrors.ts"
import { position } from "./StreamRequest.ts"

/** Watch and unwatch by a connection's token (contract §2). */
export const layer = HttpApiBuilder.group(api, "connections", (handlers) =>
  Effect.map(ConnectionRegistry, (connections) => {
    const watch = (token: string, body: typeof WatchBody.Type) =>
      Effect.forEach(body.sessions, ({ cursor, from, session }) =>
        Effect.map(position(cursor, from), (position) => ({ session, position }))
      ).pipe(
        Effect.flatMap((watches) => connections.watch(token, watches)),
        Effect.map((watching) => ({ watching }))
      )

    const unwatch = (token: string, body: typeof WatchBody.Type) => {
      const leaving = body.sessions.map(({ session }) => session)
      return Effect.map(connections.unwatch(token, leaving), (watching) => ({ watching }))
    }

    return handlers
      .handle("watch", ({ path, payload }) => answered(watch(path.token, payload)))
      .handle("unwatch", ({ path, payload }) => answered(unwatch(path.token, payload)))
  })
)
