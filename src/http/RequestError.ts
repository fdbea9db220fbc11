import { Data } from "effect"

/** No key, or a wrong one. */
export class Unauthorized extends Data.TaggedError("Unauthorized") {}

/** A web page of another origin, or a name that was made to point here (DNS rebinding; design §10). */
export class OriginNotAllowed extends Data.TaggedError("OriginNotAllowed")<{
  readonly header: "Origin" | "Host"
  readonly value: string
}> {}

export class RouteNotFound extends Data.TaggedError("RouteNotFound")<{ readonly path: string }> {}

export class MethodNotAllowed extends Data.TaggedError("MethodNotAllowed")<{
  readonly method: string
  readonly allow: string
}> {}

/** A body with a `Content-Encoding`: a small one could unpack to any size. */
export class UnsupportedEncoding extends Data.TaggedError("UnsupportedEncoding")<{ readonly encoding: string }> {}

export type RequestError = Unauthorized | OriginNotAllowed | RouteNotFound | MethodNotAllowed | UnsupportedEncoding
