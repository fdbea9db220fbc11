import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as UrlParams from "@effect/platform/UrlParams"
import { Clock, Data, Duration, Effect, Option, type Redacted, Schema } from "effect"
import * as Outbox from "../core/Outbox.ts"

/** The server's last word about a request: the same again would get the same. `code` as in the contract, §10. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly status: number
  /** `undefined`: it was not Sluice that answered, or not in its words. */
  readonly code: string | undefined
  readonly message: string
  /** Where in the body the fault is, if it said so. */
  readonly field: string | undefined
}> {
  /** All of it in a line, for people. */
  get text(): string {
    return this.code === undefined ? this.message : `${this.status} ${this.code}: ${this.message}`
  }
}

/** No answer, or not now: the same request may succeed later, not before `retryAfter` milliseconds. */
export class Unavailable extends Data.TaggedError("Unavailable")<{
  readonly why: string
  readonly retryAfter: number
}> {
  override get message(): string {
    return this.why
  }
}

/** A server, and the key that it asks for. */
export interface Remote {
  /** Without a slash at its end; a base path is kept. */
  readonly url: string
  readonly key: Redacted.Redacted | undefined
}

const ErrorBody = Schema.parseJson(
  Schema.Struct({
    error: Schema.Struct({
      code: Schema.String,
      message: Schema.String,
      details: Schema.optional(Schema.Struct({ field: Schema.optional(Schema.String) }))
    })
  })
)

/** The deepest cause has the word that helps: `ECONNREFUSED`, `socket hang up`. */
const why = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if ("code" in error && typeof error.code === "string") return error.code
  if (error.cause !== undefined) return why(error.cause)
  return error.message || error.name
}

export const unavailable = (error: unknown): Unavailable => new Unavailable({ why: why(error), retryAfter: 0 })

/** Seconds, or a date (RFC 9110 §10.2.3); what is neither says nothing. */
const retryAfter = (header: string, now: number): number => {
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}

const failure = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const { status } = response
    const text = yield* Effect.orElseSucceed(response.text, () => "")
    const error = Option.getOrUndefined(Schema.decodeOption(ErrorBody)(text))?.error
    const { code, details, message = `status ${status}` } = error ?? {}
    const refused = new Refused({ status, code, message, field: details?.field })
    if (!Outbox.isTemporary(status)) return yield* refused
    const header = Option.getOrElse(Headers.get(response.headers, "retry-after"), () => "")
    const millis = retryAfter(header, yield* Clock.currentTimeMillis)
    return yield* new Unavailable({ why: refused.text, retryAfter: millis })
  })

export interface Asked {
  readonly query?: UrlParams.Input
  readonly headers?: Headers.Input
}

/** A request for a path of the server, with its key. */
export const request = (method: "GET" | "POST", remote: Remote, path: string, asked: Asked = {}) =>
  HttpClientRequest.make(method)(`${remote.url}${path}`).pipe(
    HttpClientRequest.appendUrlParams(asked.query ?? {}),
    HttpClientRequest.setHeaders(asked.headers ?? {}),
    remote.key === undefined ? (request) => request : HttpClientRequest.bearerToken(remote.key)
  )

const send = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.gen(function* () {
    const client = HttpClient.withScope(yield* HttpClient.HttpClient)
    const response = yield* client.execute(request).pipe(Effect.withTracerEnabled(false), Effect.mapError(unavailable))
    return response.status < 300 ? response : yield* failure(response)
  })

const within = (limit: Duration.DurationInput) =>
  Effect.timeoutFail({
    duration: limit,
    onTimeout: () => new Unavailable({ why: `no answer in ${Duration.format(limit)}`, retryAfter: 0 })
  })

/** An answer of 2xx, its head in `limit`; its body can be read, and is let go, within the scope. */
export const execute = (request: HttpClientRequest.HttpClientRequest, limit: Duration.DurationInput) =>
  send(request).pipe(within(limit))

/** What an answer of 2xx says, all of it within 30 seconds. What cannot be read is no answer: `Unavailable`. */
export const read =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (request: HttpClientRequest.HttpClientRequest) =>
    send(request).pipe(
      Effect.flatMap((response) => Effect.mapError(response.text, unavailable)),
      Effect.flatMap((text) => Effect.mapError(Schema.decode(Schema.parseJson(schema))(text), unavailable)),
      Effect.scoped,
      within("30 seconds")
    )
