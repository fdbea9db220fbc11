import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Either, ParseResult, Schema } from "effect"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { api, WatchBody } from "../domain/Api.ts"
import { InvalidRequest, type PayloadTooLarge } from "../domain/SessionError.ts"
import { answered } from "./PlatformErrors.ts"
import * as RequestBody from "./RequestBody.ts"
import { position } from "./StreamRequest.ts"

const decode = Schema.decodeUnknown(WatchBody)

/** The first field that is wrong, in the contract's form. */
const invalid = (error: ParseResult.ParseError): InvalidRequest => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return new InvalidRequest({
    field: issue?.path.map(String).join(".") || "body",
    allowed: issue?.message ?? "is not valid"
  })
}

/** The platform's own reader destroys the socket of a body that is too long, and with it the answer that says so. */
const body = (request: HttpServerRequest.HttpServerRequest, limit: number) =>
  Effect.async<string, PayloadTooLarge>((resume) =>
    RequestBody.read(
      NodeHttpServerRequest.toIncomingMessage(request),
      limit,
      Either.match({
        onLeft: (error) => resume(Effect.fail(error)),
        onRight: (text) => resume(Effect.succeed(text))
      })
    )
  ).pipe(
    Effect.flatMap((text) =>
      Effect.try({
        try: (): unknown => JSON.parse(text),
        catch: () => new InvalidRequest({ field: "body", allowed: "must be JSON" })
      })
    )
  )

/** Watch and unwatch by a connection's token (contract §2). */
export const layer = (options: { readonly maxBodyBytes: number }) =>
  HttpApiBuilder.group(api, "connections", (handlers) =>
    Effect.map(ConnectionRegistry, (connections) => {
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
            body(request, options.maxBodyBytes).pipe(
              Effect.flatMap((json) => Effect.mapError(decode(json), invalid)),
              Effect.flatMap((sessions) => route(path.token, sessions)),
              Effect.flatMap((watching) => Effect.orDie(HttpServerResponse.json(watching)))
            )
          )

      return handlers.handleRaw("watch", withBody(watch)).handleRaw("unwatch", withBody(unwatch))
    })
  )
