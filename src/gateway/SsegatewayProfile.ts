import { STATUS_CODES } from "node:http"
import { Either } from "effect"
import { InvalidRequest } from "../domain/SessionError.ts"
import * as Frame from "../protocol/Frame.ts"
import type { Profile } from "./Profile.ts"

const own = /^\/(?:(?:healthz|readyz|metrics|openapi\.json)$|(?:v1|docs|dashboard)(?:\/|$))/

/** Statuses that such a client is told on a stream, since `EventSource` does not show it the status of an answer. */
const told: ReadonlyArray<number> = [400, 401, 403]

/** Byte-compatible with the public SSEGateway, so that its backends and clients change without an edit (contract §4). */
export const ssegateway: Profile = {
  name: "ssegateway",
  frame: ({ data, name }) => {
    if (name === undefined) return Either.right(Frame.make({ data }))
    // The data is pasted into one line of JSON: a line end would begin another field.
    if (/[\r\n]/.test(data)) {
      return Either.left(new InvalidRequest({ field: "event.data", allowed: "of a named event must be one line" }))
    }
    return Either.right(`data: {"type":${JSON.stringify(name)},"payload":${data}}\n\n`)
  },
  greeting: "event: ready\ndata:\n\n",
  beatsAlways: true,
  rejection: ({ reason, status }) =>
    told.includes(status)
      ? Frame.make({
          event: "rejected",
          data: JSON.stringify({ status, message: reason || STATUS_CODES[status] })
        })
      : undefined,
  replaces: false,
  owesUnopened: false,
  cacheControl: "no-cache",
  readyz: { rabbitmq: "disabled" },
  takes: (path) => !own.test(path)
}
