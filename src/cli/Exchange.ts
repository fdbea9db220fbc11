import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as UrlParams from "@effect/platform/UrlParams"
import { Clock, Data, Duration, Effect, Option, Random, Ref, Schema } from "effect"
import * as Backoff from "../protocol/Backoff.ts"
import type { Remote } from "./Remote.ts"

/** The server's last word about a request: the same again would get the same. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly status: number
  readonly text: string
  /** Where in the body the fault is, if it said so. */
  readonly field: string | undefined
}> {}

/** No answer, or not now: the same request may succeed later, not before `retryAfter` milliseconds. */
export class Unavailable extends Data.TaggedError("Unavailable")<{
  readonly why: string
  readonly retryAfter: number
}> {}

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

const isTemporary = (status: number): boolean => status >= 500 || [408, 425, 429].includes(status)

const failure = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const { status } = response
    const text = yield* Effect.orElseSucceed(response.text, () => "")
    const error = Option.getOrUndefined(Schema.decodeOption(ErrorBody)(text))?.error
    const said = error === undefined ? `status ${status}` : `${status} ${error.code}: ${error.message}`
    if (!isTemporary(status)) return yield* new Refused({ status, text: said, field: error?.details?.field })
    const header = Option.getOrElse(Headers.get(response.headers, "retry-after"), () => "")
    return yield* new Unavailable({ why: said, retryAfter: retryAfter(header, yield* Clock.currentTimeMillis) })
  })

export interface Asked {
  readonly query?: UrlParams.Input
  readonly headers?: Headers.Input
}

/** A request for a path of the server, with its key. */
export const request = (method: "GET" | "POST", remote: Remote, path: string, asked: Asked = {}) =>
  HttpClientRequest.make(method)(`${remote.url}${path}`).pipe(
    HttpClientRequest.setUrlParams(asked.query ?? {}),
    HttpClientRequest.setHeaders(asked.headers ?? {}),
    remote.key === undefined ? (request) => request : HttpClientRequest.bearerToken(remote.key)
  )

/** An answer of 2xx, its head in `limit`; its body can be read, and is let go, within the scope. */
export const execute = (request: HttpClientRequest.HttpClientRequest, limit: Duration.DurationInput) =>
  Effect.gen(function* () {
    const client = HttpClient.withScope(yield* HttpClient.HttpClient)
    const response = yield* client.execute(request).pipe(
      Effect.withTracerEnabled(false),
      Effect.mapError(unavailable),
      Effect.timeoutFail({
        duration: limit,
        onTimeout: () => new Unavailable({ why: `no answer in ${Duration.format(limit)}`, retryAfter: 0 })
      })
    )
    return response.status < 300 ? response : yield* failure(response)
  })

const backoff: Backoff.Backoff = { base: 500, max: 5000 }

/** Milliseconds to wait after so many failures in a row: full jitter, never less than `floor`. */
export const wait = (failures: number, floor: number): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => Backoff.delay(backoff, failures, random, floor))

/** Repeats a request until the server has had its last word. `onWait` hears of each wait, in milliseconds. */
export const persistently = <A, E, R>(
  attempt: Effect.Effect<A, E | Unavailable, R>,
  onWait: (why: string, millis: number) => Effect.Effect<void>
): Effect.Effect<A, Exclude<E, Unavailable>, R> =>
  Effect.gen(function* () {
    const failures = yield* Ref.make(0)
    const pause = ({ retryAfter, why }: Unavailable) =>
      Effect.gen(function* () {
        const millis = yield* wait(yield* Ref.getAndUpdate(failures, (count) => count + 1), retryAfter)
        yield* onWait(why, millis)
        yield* Effect.sleep(millis)
      })
    const isFinal = (error: E | Unavailable): error is Exclude<E, Unavailable> => !(error instanceof Unavailable)
    const once = Effect.tapError(attempt, (error) => (error instanceof Unavailable ? pause(error) : Effect.void))
    return yield* Effect.retry(once, { until: isFinal })
  })
