/** The callback as a route of the application's own HTTP server, beside its others. */
import { createHash, timingSafeEqual } from "node:crypto"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Clock, Effect, Option, Redacted } from "effect"
import * as CallbackSignature from "../callback/CallbackSignature.ts"
import * as Json from "../domain/Json.ts"
import { CallbackHandler, type ConnectRefused, InvalidCallback } from "./CallbackHandler.ts"

export interface Options {
  /** `CALLBACK_SECRET` of the gateway; without one whoever reaches this route is believed. */
  readonly secret?: Redacted.Redacted
  /** Default: `/api/sse/callback`. */
  readonly path?: `/${string}`
}

/** A client's headers are at most 64 KiB, and its target as much. */
const maxBodyBytes = 262_144

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const respond = (status: number, code: string, message: string, details?: InvalidCallback["details"]) =>
  HttpServerResponse.unsafeJson({ error: { code, message, ...(details === undefined ? {} : { details }) } }, { status })

const unauthorized = respond(401, "UNAUTHORIZED", "a callback must be signed with the shared secret")

const refused = ({ message, status }: ConnectRefused) => respond(status, "CONNECT_REFUSED", message)

const invalid = ({ details }: InvalidCallback) =>
  respond(400, "INVALID_REQUEST", details.map(({ allowed, field }) => `${field}: ${allowed}`).join("; "), details)

const noJson = new InvalidCallback({ details: [{ field: "body", allowed: "must be JSON of at most 256 KiB" }] })

/** By its signature, or by the secret itself (`CALLBACK_SEND_SECRET`): either takes the same time for every wrong one. */
const isOurs = (secret: Redacted.Redacted, headers: Readonly<Record<string, string>>, body: string, now: number) => {
  const header = (name: string) => headers[name.toLowerCase()]
  const signature = header(CallbackSignature.signatureHeader)
  if (signature !== undefined) {
    const timestamp = header(CallbackSignature.timestampHeader)
    return CallbackSignature.verify({ secret, timestamp, signature, body, now })
  }
  const given = header(CallbackSignature.secretHeader)
  return given !== undefined && timingSafeEqual(digest(Redacted.value(secret)), digest(given))
}

/** 200 with the answer's body; 400 with details, 401, or what the application refused with. Never a stack. */
export const layer = ({ path = "/api/sse/callback", secret }: Options = {}) =>
  HttpLayerRouter.use((router) =>
    Effect.gen(function* () {
      const handler = yield* CallbackHandler
      yield* router.add("POST", path, (request: HttpServerRequest.HttpServerRequest) =>
        Effect.gen(function* () {
          const body = yield* Effect.mapError(request.text, () => noJson)
          const now = yield* Clock.currentTimeMillis
          if (secret !== undefined && !isOurs(secret, request.headers, body, now)) {
            return yield* Effect.as(
              Effect.logWarning("a callback was refused: it is not signed with our secret"),
              unauthorized
            )
          }
          const json = yield* Effect.mapError(Json.parse(body), () => noJson)
          const answer = yield* handler.handle(json)
          return answer === undefined
            ? HttpServerResponse.empty({ status: 200 })
            : HttpServerResponse.unsafeJson(answer)
        }).pipe(
          HttpIncomingMessage.withMaxBodySize(Option.some(maxBodyBytes)),
          Effect.catchTags({
            InvalidCallback: (error) => Effect.succeed(invalid(error)),
            ConnectRefused: (error) => Effect.succeed(refused(error))
          })
        )
      )
    })
  )
