import type { IncomingMessage } from "node:http"
import { Context, Either, Layer } from "effect"
import { Overloaded, PayloadTooLarge } from "../domain/SessionError.ts"
import { UnsupportedEncoding } from "./RequestError.ts"
import { header } from "./RequestHeader.ts"

export interface Options {
  /** Bytes of one body. */
  readonly maxBodyBytes: number
}

export type BodyError = PayloadTooLarge | Overloaded

/** Bytes of all bodies that are being read: many slow senders together hold no more than this. */
const maxHeldBytes = 128 * 1024 * 1024

/** Reads the bodies of requests, within bounds for each and for all. */
export class RequestBodies extends Context.Tag("sluice/http/RequestBodies")<
  RequestBodies,
  {
    /** What can be said of a body before it is read. */
    readonly problem: (request: IncomingMessage) => PayloadTooLarge | UnsupportedEncoding | undefined
    /**
     * Reads a body as text; a chunked one is refused as soon as it is too long. `done` is called once, and not at all when
     * the client leaves in the middle.
     */
    readonly read: (request: IncomingMessage, done: (body: Either.Either<string, BodyError>) => void) => void
  }
>() {}

const make = ({ maxBodyBytes }: Options): RequestBodies["Type"] => {
  let held = 0
  return {
    problem: (request) => {
      if (request.method === "GET") return undefined
      const encoding = header(request, "content-encoding")
      if (encoding !== undefined) return new UnsupportedEncoding({ encoding })
      return Number(header(request, "content-length") ?? 0) > maxBodyBytes
        ? new PayloadTooLarge({ field: "body", limit: maxBodyBytes })
        : undefined
    },

    read: (request, done) => {
      let parts: Array<Buffer> = []
      let bytes = 0
      const settle = () => {
        held -= bytes
        parts = []
        request.off("data", onData).off("end", onEnd).off("close", settle)
      }
      const refuse = (error: BodyError) => {
        settle()
        request.resume()
        done(Either.left(error))
      }
      const onData = (part: Buffer) => {
        bytes += part.length
        held += part.length
        if (bytes > maxBodyBytes) return refuse(new PayloadTooLarge({ field: "body", limit: maxBodyBytes }))
        if (held > maxHeldBytes) return refuse(new Overloaded({ what: "memory for request bodies" }))
        parts.push(part)
      }
      const onEnd = () => {
        const [only] = parts
        const text = (parts.length === 1 && only ? only : Buffer.concat(parts)).toString("utf8")
        settle()
        done(Either.right(text))
      }
      request.on("data", onData).once("end", onEnd).once("close", settle)
    }
  }
}

export const layer = (options: Options): Layer.Layer<RequestBodies> => Layer.sync(RequestBodies, () => make(options))
