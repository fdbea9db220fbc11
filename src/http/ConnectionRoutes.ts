import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Schema } from "effect"
import type { Connection } from "../connection/Connection.ts"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { watching } from "../connection/Watching.ts"
import { api, BroadcastBody, RevokeBody, WatchBody } from "../domain/Api.ts"
import * as AppendBody from "../domain/AppendBody.ts"
import { InvalidRequest } from "../domain/SessionError.ts"
import { Gateway } from "../gateway/Gateway.ts"
import { GatewayConnections } from "../gateway/GatewayConnections.ts"
import * as JsonBody from "./JsonBody.ts"
import { answered } from "./PlatformErrors.ts"
import { RequestBodies } from "./RequestBodies.ts"
import { position } from "./StreamRequest.ts"

const decodeRevoke = Schema.decodeUnknown(RevokeBody, { onExcessProperty: "error" })
const revokeRule = new InvalidRequest({ field: "body", allowed: "must be { session } or { token }, one of them" })

/** Milliseconds after which a client comes back that an operator has closed. */
const retryClosed = 2000

/** List, close, revoke and broadcast; watch and unwatch by a connection's token (contract §2). */
export const layer = (options: { readonly maxEventBytes: number }) =>
  HttpApiBuilder.group(api, "connections", (handlers) =>
    Effect.gen(function* () {
      const connections = yield* ConnectionRegistry
      const gateway = yield* Gateway
      const bodies = yield* RequestBodies
      const owed = yield* GatewayConnections

      const summary = (connection: Connection) => {
        const requestId = owed.requestId(connection.token)
        return {
          token: connection.token,
          ...(requestId === undefined ? {} : { request_id: requestId }),
          watching: watching(connection),
          openedAt: new Date(connection.openedAt).toISOString()
        }
      }

      const list = ({ after = "", limit }: { readonly after?: string | undefined; readonly limit: number }) =>
        Effect.sync(() => {
          const open = connections.list().sort((a, b) => (a.token < b.token ? -1 : 1))
          const found = open.filter(({ token }) => token > after)
          const page = found.slice(0, limit)
          const last = page[page.length - 1]
          const body = { connections: page.map(summary) }
          return found.length > page.length && last ? { ...body, next: last.token } : body
        })

      /** Not before the backend's disconnect, if one is owed, is recorded. */
      const close = (token: string) =>
        Effect.flatMap(connections.find(token), (connection) => {
          const recorded = owed.recorded(token)
          connection.dismiss("server_closed", retryClosed)
          return recorded
        })

      const broadcast = (json: unknown) =>
        Effect.gen(function* () {
          const { data, name } = yield* AppendBody.readEvent(json, "", options.maxEventBytes)
          const { service } = yield* Effect.mapError(Schema.decodeUnknown(BroadcastBody)(json), JsonBody.invalid)
          return yield* gateway.broadcast({ name: name === "message" ? undefined : name, data }, service)
        })

      /** They end at once, in the middle of a replay too. Who comes back is let in, or not, like anyone else. */
      const revoke = (json: unknown) =>
        Effect.map(
          Effect.mapError(decodeRevoke(json), () => revokeRule),
          (what) => {
            const revoked = connections
              .list()
              .filter((connection) =>
                "token" in what ? connection.token === what.token : watching(connection).includes(what.session)
              )
            for (const connection of revoked) connection.dismiss("revoked", retryClosed)
            return revoked.length
          }
        )

      const watch = (token: string, { sessions }: typeof WatchBody.Type) =>
        Effect.forEach(sessions, ({ cursor, from, session }) =>
          Effect.map(position(cursor, from), (position) => ({ session, position }))
        ).pipe(
          Effect.flatMap((watches) => connections.watch(token, watches)),
          Effect.map((watching) => ({ watching }))
        )

      const unwatch = (token: string, { sessions }: typeof WatchBody.Type) => {
        const leaving = sessions.map(({ session }) => session)
        return Effect.map(connections.unwatch(token, leaving), (watching) => ({ watching }))
      }

      const withBody =
        (route: typeof watch | typeof unwatch) =>
        ({
          path,
          request
        }: {
          readonly path: { readonly token: string }
          readonly request: HttpServerRequest.HttpServerRequest
        }) =>
          answered(
            JsonBody.readAs(WatchBody, request, bodies).pipe(
              Effect.flatMap((sessions) => route(path.token, sessions)),
              Effect.flatMap((watching) => Effect.orDie(HttpServerResponse.json(watching)))
            )
          )

      return handlers
        .handle("listConnections", ({ urlParams }) => answered(list(urlParams)))
        .handle("close", ({ path }) => answered(close(path.token)))
        .handleRaw("broadcast", ({ request }) =>
          answered(
            JsonBody.read(request, bodies).pipe(
              Effect.flatMap(broadcast),
              Effect.flatMap((connections) => Effect.orDie(HttpServerResponse.json({ connections }, { status: 202 })))
            )
          )
        )
        .handleRaw("revoke", ({ request }) =>
          answered(
            JsonBody.read(request, bodies).pipe(
              Effect.flatMap(revoke),
              Effect.flatMap((revoked) => Effect.orDie(HttpServerResponse.json({ connections: revoked })))
            )
          )
        )
        .handleRaw("watch", withBody(watch))
        .handleRaw("unwatch", withBody(unwatch))
    })
  )
