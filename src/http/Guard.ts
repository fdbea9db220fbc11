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

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i

const none = {}

const isOpen = (path: string): boolean => path === Paths.healthz || path.startsWith(Paths.readyz)

/** Who may ask at all (design §10). Asked for every request, before its route. */
export interface Guard {
  readonly check: (request: IncomingMessage) => OriginNotAllowed | Unauthorized | undefined
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
    check: (request) => {
      if (isOpen(request.url ?? "")) return undefined
      if (expected === undefined) return checkOrigin(request)
      const needsKey = request.method !== "OPTIONS" && (request.url ?? "").startsWith("/v1/")
      return needsKey ? checkKey(request, expected) : undefined
    },
    cors: (request) => {
      if (options.corsOrigins.length === 0) return none
      const origin = header(request, "origin")
      if (origin === undefined || !isListed(origin)) return { Vary: "Origin" }
      return { Vary: "Origin", "Access-Control-Allow-Origin": origin }
    }
  }
}

/** The answer to a preflight of a listed origin. */
export const preflight = {
  "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
  "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID",
  "Access-Control-Max-Age": "600"
} as const
