import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, type Schema } from "effect"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { AskBody, api, MessageBody, StateBody } from "../domain/Api.ts"
import * as AppendBody from "../domain/AppendBody.ts"
import type { SessionId } from "../domain/Session.ts"
import { InvalidRequest, PayloadTooLarge } from "../domain/SessionError.ts"
import { GatewayConnections } from "../gateway/GatewayConnections.ts"
import { Messages, type NewMessage } from "../session/inbox/Messages.ts"
import { Processes } from "../session/worker/Processes.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import type { HttpError } from "./ErrorResponse.ts"
import * as JsonBody from "./JsonBody.ts"
import { answered } from "./PlatformErrors.ts"
import { RequestBodies } from "./RequestBodies.ts"

/** State, messages, interrupt and stop of a session; suspend by a connection's token (contract §2). */
export const layer = (options: { readonly maxEventBytes: number }) =>
  HttpApiBuilder.group(api, "life", (handlers) =>
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      const messages = yield* Messages
      const processes = yield* Processes
      const connections = yield* ConnectionRegistry
      const gateway = yield* GatewayConnections
      const bodies = yield* RequestBodies

      /** Who names a connection owns the session by its write. One that is not open writes nothing; a refused write owns nothing. */
      const owning = <A, E>(token: string | undefined, session: SessionId, write: Effect.Effect<A, E>) =>
        token === undefined
          ? write
          : connections.find(token).pipe(
              Effect.zipRight(write),
              // The write is made, though its connection may be gone by now.
              Effect.tap(() => Effect.ignore(connections.own(token, session)))
            )

      const newMessage = (
        { data, id }: typeof MessageBody.Type,
        token: string | undefined,
        field: string
      ): Effect.Effect<NewMessage, HttpError> =>
        Effect.gen(function* () {
          if (data === undefined)
            return yield* new InvalidRequest({ field, allowed: "must be present: any JSON value" })
          const depth = AppendBody.depthProblem(data, field)
          if (depth !== undefined) return yield* depth
          const text = JSON.stringify(data)
          if (Buffer.byteLength(text) > options.maxEventBytes) {
            return yield* new PayloadTooLarge({ field, limit: options.maxEventBytes })
          }
          const from = token === undefined ? undefined : gateway.requestId(token)
          return { id, data: text, from: from ?? null, token: token ?? null }
        })

      const move = (session: SessionId, { reason, state, token }: typeof StateBody.Type) =>
        owning(token, session, sessions.move(session, state, reason))

      const accepted = (receipt: { readonly id?: string; readonly session: SessionId; readonly seq: number }) => ({
        ...("id" in receipt ? { id: receipt.id } : {}),
        session: receipt.session,
        seq: receipt.seq,
        accepted: true as const
      })

      const message = (session: SessionId, body: typeof MessageBody.Type) =>
        Effect.gen(function* () {
          const said = yield* newMessage(body, body.token, "data")
          return accepted(yield* owning(body.token, session, messages.accept(session, said)))
        })

      const ask =
        (request: (typeof processes)["interrupt" | "stop"]) =>
        (session: SessionId, { message, token }: typeof AskBody.Type) =>
          Effect.gen(function* () {
            const said = message === undefined ? undefined : yield* newMessage(message, token, "message.data")
            return accepted(yield* owning(token, session, request(session, said)))
          })

      /** A session that is not ACTIVE cannot be suspended, and need not be. */
      const suspend = (token: string) =>
        Effect.flatMap(connections.owned(token), (owned) =>
          Effect.forEach(
            owned,
            (session) =>
              Effect.catchTags(sessions.move(session, "SUSPENDED", "client_away"), {
                InvalidTransition: () => Effect.void,
                SessionNotFound: () => Effect.void
              }),
            { concurrency: "unbounded", discard: true }
          )
        )

      const withBody =
        <A, I, B>(
          schema: Schema.Schema<A, I>,
          status: number,
          route: (session: SessionId, body: A) => Effect.Effect<B, HttpError>
        ) =>
        ({
          path,
          request
        }: {
          readonly path: { readonly id: SessionId }
          readonly request: HttpServerRequest.HttpServerRequest
        }) =>
          answered(
            JsonBody.readAs(schema, request, bodies).pipe(
              Effect.flatMap((body) => route(path.id, body)),
              Effect.flatMap((answer) => Effect.orDie(HttpServerResponse.json(answer, { status })))
            )
          )

      return handlers
        .handleRaw("move", withBody(StateBody, 200, move))
        .handleRaw("message", withBody(MessageBody, 202, message))
        .handleRaw("interrupt", withBody(AskBody, 202, ask(processes.interrupt)))
        .handleRaw("stop", withBody(AskBody, 202, ask(processes.stop)))
        .handleRaw("suspend", ({ path }) =>
          answered(Effect.as(suspend(path.token), HttpServerResponse.empty({ status: 204 })))
        )
    })
  )
