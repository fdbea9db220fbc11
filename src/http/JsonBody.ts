import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Either, ParseResult, Schema } from "effect"
import * as Json from "../domain/Json.ts"
import { InvalidRequest } from "../domain/SessionError.ts"
import type { BodyError, RequestBodies } from "./RequestBodies.ts"

/** The platform's own reader destroys the socket of a body that is too long, and with it the answer that says so. */
const text = (
  request: HttpServerRequest.HttpServerRequest,
  bodies: RequestBodies["Type"]
): Effect.Effect<string, BodyError> =>
  Effect.async((resume) =>
    bodies.read(
      NodeHttpServerRequest.toIncomingMessage(request),
      Either.match({
        onLeft: (error) => resume(Effect.fail(error)),
        onRight: (text) => resume(Effect.succeed(text))
      })
    )
  )

const parse = (text: string): Effect.Effect<unknown, InvalidRequest> =>
  Effect.mapError(Json.parse(text), () => new InvalidRequest({ field: "body", allowed: "must be JSON" }))

export const read = (
  request: HttpServerRequest.HttpServerRequest,
  bodies: RequestBodies["Type"]
): Effect.Effect<unknown, BodyError | InvalidRequest> => Effect.flatMap(text(request, bodies), parse)

/** The first field that is wrong, in the contract's form. */
export const invalid = (error: ParseResult.ParseError): InvalidRequest => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return new InvalidRequest({
    field: issue?.path.map(String).join(".") || "body",
    allowed: issue?.message === "is missing" ? "must be present" : (issue?.message ?? "is not valid")
  })
}

/** No body at all is an empty object, for schemas that need nothing. */
export const readAs = <A, I>(
  schema: Schema.Schema<A, I>,
  request: HttpServerRequest.HttpServerRequest,
  bodies: RequestBodies["Type"]
): Effect.Effect<A, BodyError | InvalidRequest> =>
  Effect.flatMap(text(request, bodies), (text) => parse(text.trim() === "" ? "{}" : text)).pipe(
    Effect.flatMap((json) => Effect.mapError(Schema.decodeUnknown(schema)(json), invalid))
  )
