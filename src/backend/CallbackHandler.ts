/** What a callback of the gateway means for this application, however it came: over HTTP (`CallbackRoute`) or in one process (`LocalCallbacks`). */
import { Context, Data, Duration, Effect, Layer, ParseResult, Schema } from "effect"
import * as Frame from "../protocol/Frame.ts"
import { ConnectionManager } from "./ConnectionManager.ts"

/** A client that asks to be connected. */
export interface ConnectRequest {
  readonly requestId: string
  /** Path and query as they came. */
  readonly url: string
  /** In lower case; of a header that came several times perhaps a list. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string>>>
}

/** What a connection is given, all of it its own. */
export interface Admission {
  /** Whom the application knows it as. */
  readonly subject?: string
  /** Sessions that its stream has, from where (contract §4). */
  readonly watch?: ReadonlyArray<{
    readonly session: string
    readonly cursor?: string
    readonly from?: "start" | "head"
  }>
  /** It ends after this; with nothing left it is refused with 401. */
  readonly expiresIn?: Duration.Duration
}

/** The client gets this status, and is not connected. */
export class ConnectRefused extends Data.TaggedError("ConnectRefused")<{
  readonly status: 400 | 401 | 403 | 404 | 429
  readonly message: string
}> {}

export interface Options {
  /** Decides who a client is, and whether it may connect: before anything is registered. Default: everybody, as nobody. */
  readonly admit?: (request: ConnectRequest) => Effect.Effect<Admission, ConnectRefused>
}

/** It is none of the contract's callbacks, or lacks what this application needs. Nothing was changed. */
export class InvalidCallback extends Data.TaggedError("InvalidCallback")<{
  readonly details: ReadonlyArray<{ readonly field: string; readonly allowed: string }>
}> {}

/** The body of the answer to an accepted connect (contract §4). */
export interface Answer {
  readonly request_id: string
  readonly watch?: Admission["watch"]
  readonly expires_in?: number
}

const text = Schema.NonEmptyString
const header = Schema.Union(Schema.String, Schema.Array(Schema.String))
const request = Schema.Struct({ url: text, headers: Schema.Record({ key: Schema.String, value: header }) })

/** The JSON body of a callback. What else is in it is ignored. */
export const Callback = Schema.Union(
  Schema.Struct({ action: Schema.Literal("connect"), token: text, request }),
  Schema.Struct({ action: Schema.Literal("disconnect"), token: text })
)

export class CallbackHandler extends Context.Tag("sluice/backend/CallbackHandler")<
  CallbackHandler,
  {
    /** `undefined` for a disconnect: there is nothing to answer. */
    readonly handle: (json: unknown) => Effect.Effect<Answer | undefined, InvalidCallback | ConnectRefused>
  }
>() {}

const maxRequestId = 256

const invalid = (field: string, allowed: string) => new InvalidCallback({ details: [{ field, allowed }] })

/** Each place that is wrong, once: a union tells it for each of its members. */
const detailsOf = (error: ParseResult.ParseError): InvalidCallback => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  const byField = new Map(issues.map(({ message, path }) => [path.join(".") || "body", message]))
  return new InvalidCallback({ details: Array.from(byField, ([field, allowed]) => ({ field, allowed })) })
}

/** `request_id` of the query, decoded once; the first of several. */
const requestIdOf = (url: string): Effect.Effect<string, InvalidCallback> => {
  const mark = url.indexOf("?")
  const requestId = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1)).get("request_id") ?? ""
  return requestId !== "" && requestId.length <= maxRequestId && Frame.isFieldSafe(requestId)
    ? Effect.succeed(requestId)
    : invalid("request_id", `must be in the query: 1 to ${maxRequestId} characters, no control characters`)
}

const everybody = () => Effect.succeed<Admission>({})

export const make = ({ admit = everybody }: Options = {}) =>
  Effect.map(ConnectionManager, (manager) => {
    const connect = (token: string, { headers, url }: typeof request.Type) =>
      Effect.gen(function* () {
        const requestId = yield* requestIdOf(url)
        const { expiresIn, subject, watch } = yield* admit({ requestId, url, headers })
        if (expiresIn !== undefined && Duration.toMillis(expiresIn) <= 0) {
          return yield* new ConnectRefused({ status: 401, message: "what admits it has run out" })
        }
        yield* manager.connected({ requestId, token, url, subject })
        const answer: Answer = {
          request_id: requestId,
          ...(watch === undefined ? {} : { watch }),
          ...(expiresIn === undefined ? {} : { expires_in: Duration.toSeconds(expiresIn) })
        }
        return answer
      })

    return CallbackHandler.of({
      handle: (json) =>
        Effect.flatMap(
          Effect.mapError(Schema.decodeUnknown(Callback, { errors: "all" })(json), detailsOf),
          (callback) =>
            callback.action === "connect"
              ? connect(callback.token, callback.request)
              : Effect.as(manager.disconnected(callback.token), undefined)
        )
    })
  })

export const layer = (options?: Options): Layer.Layer<CallbackHandler, never, ConnectionManager> =>
  Layer.effect(CallbackHandler, make(options))
