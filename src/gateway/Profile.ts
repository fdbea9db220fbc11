import { Either } from "effect"
import type { BackendRefused } from "../callback/Callbacks.ts"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import type { InvalidRequest } from "../domain/SessionError.ts"
import * as Frame from "../protocol/Frame.ts"

/** What differs on the wire between gateways that backends are written for. All of it is here; nothing below knows of it. */
export interface Profile {
  readonly name: "native" | "ssegateway"
  /** The frame of an event of the backend, or why it has none. */
  readonly frame: (event: BackendEvent) => Either.Either<string, InvalidRequest>
  /** Said on an open stream after what was kept during the callback. */
  readonly greeting: string
  /** Heartbeats come at a fixed interval, not after silence. */
  readonly beatsAlways: boolean
  /** What a refused client is told on a stream of status 200. `undefined`: it gets the status. */
  readonly rejection: (refused: BackendRefused) => string | undefined
  /** Who had a request id before is closed when another connection gets it. It is addressed no more in either case. */
  readonly replaces: boolean
  /** The backend hears of an end also where no stream was opened, because it may have said yes (promise 7). */
  readonly owesUnopened: boolean
  readonly cacheControl: string
  /** What `/readyz` says beside the contract's own fields. */
  readonly readyz: { readonly rabbitmq?: "disabled" }
  /** True when `GET path` (without query) is a stream. `prefix` is the configured one, without a slash at its end. */
  readonly takes: (path: string, prefix: string) => boolean
}

/** Routes of the server's own that a prefix of `/` does not take. */
const own = /^\/(?:$|client\.js$|healthz$|readyz$|metrics$|openapi\.json$|(?:v1|internal|docs|dashboard)(?:\/|$))/

export const native: Profile = {
  name: "native",
  frame: ({ data, name }) => Either.right(Frame.make({ event: name, data })),
  greeting: "",
  beatsAlways: false,
  rejection: () => undefined,
  replaces: true,
  owesUnopened: true,
  cacheControl: "no-cache, no-transform",
  readyz: {},
  takes: (path, prefix) => (prefix === "" ? !own.test(path) : path.startsWith(`${prefix}/`))
}
