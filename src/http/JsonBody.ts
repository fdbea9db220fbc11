import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Either } from "effect"
import { InvalidRequest } from "../domain/SessionError.ts"
import type { BodyError, RequestBodies } from "./RequestBodies.ts"

/** The platform's own reader destroys the socket of a body that is too long, and with it the answer that says so. */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  bodies: RequestBodies["Type"]
): Effect.Effect<unknown, BodyError | InvalidRequest> =>
  Effect.async<string, BodyError>((resume) =>
    bodies.read(
      NodeHttpServerRequest.toIncomingMessage(request),
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
