import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpApiError from "@effect/platform/HttpApiError"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Cause, Effect, Schema } from "effect"
import { InvalidRequest } from "../domain/SessionError.ts"
import * as ErrorResponse from "./ErrorResponse.ts"
import { RouteNotFound } from "./RequestError.ts"

const toPlatform = ({ body, headers, status }: ErrorResponse.ErrorResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { status, headers, contentType: "application/json" })

/** A handler's typed error as the response that the table gives it. */
export const answered = <A, R>(
  effect: Effect.Effect<A, ErrorResponse.HttpError, R>
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catchAll(effect, (error) => Effect.succeed(toPlatform(ErrorResponse.make(error))))

const isDecodeError = Schema.is(HttpApiError.HttpApiDecodeError)

const fieldOf = ({ issues }: HttpApiError.HttpApiDecodeError): InvalidRequest => {
  const [issue] = issues
  return new InvalidRequest({
    field: issue?.path.map(String).join(".") || "request",
    allowed: issue?.message ?? "is not valid"
  })
}

const respond = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  const refuse = (error: ErrorResponse.HttpError) => Effect.succeed(toPlatform(ErrorResponse.make(error)))
  if (isDecodeError(error)) return refuse(fieldOf(error))
  if (error instanceof HttpServerError.RouteNotFound) return refuse(new RouteNotFound({ path: error.request.url }))
  return Effect.as(Effect.logError("a route died", cause), toPlatform(ErrorResponse.defect))
}

/** What the platform's router reports itself, in the contract's form. Interruption (the client left) passes. */
export const layer = HttpApiBuilder.middleware((app) =>
  Effect.catchAllCause(app, (cause) => (Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : respond(cause)))
)
