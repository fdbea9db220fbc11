import type { IncomingMessage } from "node:http"
import { Either } from "effect"
import { PayloadTooLarge } from "../domain/SessionError.ts"
import { header } from "./RequestHeader.ts"
import { UnsupportedEncoding } from "./RequestError.ts"

type BodyError = PayloadTooLarge | UnsupportedEncoding

/** Settled before a body is read. */
export const problem = (request: IncomingMessage, limit: number): BodyError | undefined => {
  if (request.method === "GET") return undefined
  const encoding = header(request, "content-encoding")
  if (encoding !== undefined) return new UnsupportedEncoding({ encoding })
  return Number(header(request, "content-length") ?? 0) > limit
    ? new PayloadTooLarge({ field: "body", limit })
    : undefined
}

/**
 * Reads a body as text; a chunked one is refused as soon as it exceeds `limit` bytes. `done` is called once, and not at
 * all when the client leaves in the middle.
 */
export const read = (
  request: IncomingMessage,
  limit: number,
  done: (body: Either.Either<string, PayloadTooLarge>) => void
): void => {
  let parts: Array<Buffer> = []
  let bytes = 0
  const onData = (part: Buffer) => {
    bytes += part.length
    if (bytes <= limit) return void parts.push(part)
    parts = []
    request.off("data", onData)
    request.off("end", onEnd)
    request.resume()
    done(Either.left(new PayloadTooLarge({ field: "body", limit })))
  }
  const onEnd = () => {
    const [only] = parts
    done(Either.right((parts.length === 1 && only ? only : Buffer.concat(parts)).toString("utf8")))
  }
  request.on("data", onData)
  request.once("end", onEnd)
}
