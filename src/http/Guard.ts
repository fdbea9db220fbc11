import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { Redacted } from "effect"
import * as Paths from "../protocol/Paths.ts"
import { header } from "./RequestHeader.ts"
import { OriginNotAllowed, Unauthorized } from "./RequestError.ts"

export interface Options {
  readonly apiKey: Redacted.Redacted | undefined
  /** Origins whose pages may call; `*` for all. */
  readonly corsOrigins: ReadonlyArray<string>
  /** The server listens on a loopback address only, so that its callers name it by one. */
  readonly isLoopback: boolean
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Equal digests of equal length: the time taken tells nothing about the key. */
const isKey = (expected: Buffer, given: string): boolean => timingSafeEqual(expected, digest(given))

const allowedToListed = {
  "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
  "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID",
  "Access-Control-Max-Age": "600"
}

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i

const none = {}

/** What needs no key. All else does, whatever it is: a router may read a path in more ways than one. */
const open: ReadonlyArray<string> = ["/", Paths.clientScript, Paths.healthz, Paths.readyz]

/** Who may ask at all (design §10). Asked for every request, before its route. */
export interface Guard {
  /** `path` is that of the URL, without query. */
  readonly check: (request: IncomingMessage, path: string) => OriginNotAllowed | Unauthorized | undefined
  /** What a preflight is told beside `cors`: nothing, unless its origin is a listed one. */
  readonly preflight: (cors: Readonly<Record<string, string>>) => Readonly<Record<string, string>>
  /** The response headers that let a listed origin's page read the answer; empty for others. */
  readonly cors: (request: IncomingMessage) => Readonly<Record<string, string>>
}

export const make = (options: Options): Guard => {
  const expected = options.apiKey === undefined ? undefined : digest(Redacted.value(options.apiKey))
  const isListed = (origin: string) => options.corsOrigins.includes("*") || options.corsOrigins.includes(origin)

  /** Without a key the browser's own rules are the only fence round a server on loopback, so they are enforced here. */
  const checkOrigin = (request: IncomingMessage) => {
    const host = header(request, "host") ?? ""
    if (options.isLoopback && !loopbackHost.test(host)) return new OriginNotAllowed({ header: "Host", value: host })
    const origin = header(request, "origin")
    if (origin === undefined || isListed(origin) || origin === `http://${host}` || origin === `https://${host}`) {
      return undefined
    }
    return new OriginNotAllowed({ header: "Origin", value: origin })
  }

  const checkKey = (request: IncomingMessage, key: Buffer) => {
    const [scheme, given = ""] = (header(request, "authorization") ?? "").split(" ")
    return scheme?.toLowerCase() === "bearer" && isKey(key, given) ? undefined : new Unauthorized()
  }

  return {
    check: (request, path) => {
      const isHealth = path === Paths.healthz || path === Paths.readyz
      if (expected === undefined) return isHealth ? undefined : checkOrigin(request)
      return open.includes(path) || request.method === "OPTIONS" ? undefined : checkKey(request, expected)
    },
    preflight: (cors) => ("Access-Control-Allow-Origin" in cors ? allowedToListed : none),
    cors: (request) => {
      if (options.corsOrigins.length === 0) return none
      const origin = header(request, "origin")
      if (origin === undefined || !isListed(origin)) return { Vary: "Origin" }
      // A script of another origin sees no other header than it is told of, and a client honours this one.
      return { Vary: "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After" }
    }
  }
}
