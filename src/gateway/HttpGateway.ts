/**
 * The gateway of another process, over `POST /internal/send` and `/v1` (contract §2, §4). A request is sent once: nobody knows
 * of one without an answer whether its event was written, and twice would be worse than an error that says so.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Context, Duration, Effect, FiberRef, identity, Layer, Option, Redacted, Schema } from "effect"
import { ConnectionList } from "../domain/Api.ts"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import { GatewayUnavailable, TokenNotFound, WriteFailed } from "../domain/GatewayError.ts"
import type { SendRequest, Target } from "../domain/SendRequest.ts"
import { InvalidRequest, Overloaded } from "../domain/SessionError.ts"
import * as Paths from "../protocol/Paths.ts"
import { Gateway, type OpenConnection, type SendError } from "./Gateway.ts"

export interface Options {
  /** Where Sluice listens; a path before its routes is kept, a query and credentials are not. */
  readonly url: URL
  /** Its `SLUICE_API_KEY`, if it has one. */
  readonly key?: Redacted.Redacted | undefined
  /** Head and body of an answer, together. Default: 5 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

const Sent = Schema.parseJson(
  Schema.Struct({
    status: Schema.Literal("ok", "buffered"),
    connections: Schema.optionalWith(Schema.NonNegativeInt, { exact: true })
  })
)
const Broadcast = Schema.parseJson(Schema.Struct({ connections: Schema.NonNegativeInt }))
const Page = Schema.parseJson(ConnectionList)
const Refusal = Schema.parseJson(
  Schema.Struct({
    error: Schema.Struct({
      code: Schema.String,
      message: Schema.String,
      details: Schema.optional(
        Schema.Struct({ field: Schema.optional(Schema.String), allowed: Schema.optional(Schema.String) })
      )
    })
  })
)

/** Of the list; the contract's bound. */
const pageSize = 1000
/** UTF-16 units of a problem: an answer may be any page of any server. */
const maxProblem = 300

const unavailable = (problem: string) => new GatewayUnavailable({ problem })

/** The deepest cause has the words that help: `connect ECONNREFUSED 127.0.0.1:3000`, `other side closed`. */
const rootOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return rootOf(error.cause)
  return error.message || ("code" in error ? String(error.code) : error.name)
}

/** One line, without the key: `fetch` quotes one that no header can hold. */
const readable = (text: string, key: string): string =>
  (key === "" ? text : text.replaceAll(key, "<redacted>")).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, maxProblem)

const refusal = (status: number, text: string): SendError => {
  if (status < 400) return unavailable(`the gateway answered ${status}: a redirect is not followed`)
  const said = Option.getOrUndefined(Schema.decodeOption(Refusal)(text))?.error
  if (said === undefined) return unavailable(`the gateway answered ${status}`)
  const { code, details, message } = said
  // A target has no other fault than to be empty, and nobody is called that.
  if (code === "TOKEN_NOT_FOUND" || code === "INVALID_TOKEN_MISSING") return new TokenNotFound()
  if (code === "OVERLOADED") return new Overloaded({ what: "gateway" })
  if (code === "WRITE_FAILED") return new WriteFailed()
  if (status === 400 || status === 413) {
    const field = details?.field ?? "event"
    const rule = message.startsWith(`${field} `) ? message.slice(field.length + 1) : message
    return new InvalidRequest({ field, allowed: details?.allowed ?? rule })
  }
  return unavailable(`the gateway answered ${status} ${code}: ${message}`)
}

/** For routes that have no other failures. */
const orUnavailable = (error: SendError): GatewayUnavailable =>
  error._tag === "GatewayUnavailable" ? error : unavailable(`the gateway answered with ${error._tag}`)

const target = (to: Target) => {
  switch (to._tag) {
    case "Token":
      return { token: to.token }
    case "RequestId":
      return { request_id: to.requestId }
    case "All":
      return { request_id: null }
  }
}

/**
 * `fetch` follows redirects by itself, and would tell the event to whoever is named there; other clients here do not. Set
 * where the client's own `RequestInit` is seen, so that what else its user wants of `fetch` stays.
 */
const withoutRedirects = <E, R>(client: HttpClient.HttpClient.With<E, R>) =>
  client.pipe(
    HttpClient.mapRequestEffect((request) =>
      FiberRef.update(FiberRef.currentContext, (context) => {
        const own = Option.getOrElse(Context.getOption(context, FetchHttpClient.RequestInit), () => ({}))
        return Context.add(context, FetchHttpClient.RequestInit, { ...own, redirect: "manual" })
      }).pipe(Effect.as(request))
    ),
    HttpClient.transformResponse(Effect.mapInputContext(identity<Context.Context<R>>)) // the change ends here
  )

export const make = ({ key, timeout = Duration.seconds(5), url }: Options) =>
  Effect.gen(function* () {
    const client = withoutRedirects(yield* HttpClient.HttpClient)
    const base = `${url.origin}${url.pathname}`.replace(/\/+$/, "")
    const secret = key === undefined ? "" : Redacted.value(key)

    const request = (method: "GET" | "POST", path: string) => {
      const made = HttpClientRequest.make(method)(`${base}${path}`)
      return key === undefined ? made : HttpClientRequest.bearerToken(made, key)
    }

    /** Interrupted, or too late, the client aborts the request, in its head and in its body. */
    const ask = <A>(asked: HttpClientRequest.HttpClientRequest, answer: Schema.Schema<A, string>) =>
      Effect.gen(function* () {
        const response = yield* client.execute(asked)
        const text = yield* response.text
        if (response.status >= 300) return yield* refusal(response.status, text)
        return yield* Schema.decode(answer)(text)
      }).pipe(
        Effect.catchTags({
          RequestError: (error) => unavailable(`no answer of the gateway: ${rootOf(error)}`),
          ResponseError: (error) => unavailable(`the answer of the gateway broke off: ${rootOf(error)}`),
          ParseError: () => unavailable("the answer is not that of a gateway: is this its url?")
        }),
        Effect.timeoutFail({
          duration: timeout,
          onTimeout: () => unavailable(`no answer of the gateway in ${Duration.format(timeout)}`)
        }),
        Effect.mapError((error) =>
          error._tag === "GatewayUnavailable" ? unavailable(readable(error.problem, secret)) : error
        )
      )

    const post = <A>(path: string, body: unknown, answer: Schema.Schema<A, string>) =>
      ask(HttpClientRequest.bodyUnsafeJson(request("POST", path), body), answer)

    const send = ({ close, event, service, to }: SendRequest) =>
      post(Paths.internalSend, { ...target(to), event, close, service }, Sent)

    const broadcast = ({ data, name }: BackendEvent, service?: string) =>
      post(Paths.broadcast, { name, data, service }, Broadcast).pipe(
        Effect.map(({ connections }) => connections),
        Effect.mapError((error) => (error._tag === "InvalidRequest" ? error : orUnavailable(error)))
      )

    const openAfter = (after: string): Effect.Effect<ReadonlyArray<OpenConnection>, GatewayUnavailable> =>
      Effect.gen(function* () {
        const asked = HttpClientRequest.setUrlParams(request("GET", Paths.connections), { limit: pageSize, after })
        const { connections, next } = yield* Effect.mapError(ask(asked, Page), orUnavailable)
        const open = connections.map(({ request_id: requestId, token }) => ({ token, requestId }))
        if (next === undefined) return open
        if (next <= after) return yield* unavailable("the gateway's list of connections does not end")
        return [...open, ...(yield* openAfter(next))]
      })

    return Gateway.of({
      send,
      close: (to) => send({ to, event: undefined, close: true, service: undefined }),
      broadcast,
      open: openAfter("")
    })
  })

/** The client decides how requests leave: `NodeHttpClient.layerUndici`, `FetchHttpClient.layer`, or a test's own. */
export const layer = (options: Options): Layer.Layer<Gateway, never, HttpClient.HttpClient> =>
  Layer.effect(Gateway, make(options))
