import { Either } from "effect"
import type { BackendEvent } from "./BackendEvent.ts"
import { nameProblem } from "./Event.ts"
import { InvalidSend } from "./GatewayError.ts"
import { InvalidRequest, PayloadTooLarge } from "./SessionError.ts"

/** Whom a send is for. */
export type Target =
  | { readonly _tag: "Token"; readonly token: string }
  | { readonly _tag: "RequestId"; readonly requestId: string }
  | { readonly _tag: "All" }

/** Event first, then close. Neither: it only asks whether the target lives. */
export interface SendRequest {
  readonly to: Target
  readonly event: BackendEvent | undefined
  readonly close: boolean
  /** Labels the metrics. */
  readonly service: string | undefined
}

type Failure = InvalidSend | InvalidRequest | PayloadTooLarge
type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const invalid = (code: InvalidSend["code"], allowed: string): Either.Either<never, Failure> =>
  Either.left(new InvalidSend({ code, allowed }))

const target = ({ request_id: requestId, token }: Json): Either.Either<Target, Failure> => {
  if (token === undefined && requestId === null) return Either.right({ _tag: "All" })
  if (token === undefined && typeof requestId === "string" && requestId !== "") {
    return Either.right({ _tag: "RequestId", requestId })
  }
  return typeof token === "string" && token !== ""
    ? Either.right({ _tag: "Token", token })
    : invalid("INVALID_TOKEN_MISSING", "token must be a string, or request_id a string or null instead")
}

const readEvent = (value: unknown, maxEventBytes: number): Either.Either<BackendEvent | undefined, Failure> => {
  if (value === undefined) return Either.right(undefined)
  if (!isObject(value)) return invalid("INVALID_EVENT_TYPE", "event must be an object")
  const { data, name } = value
  if (typeof data !== "string") return invalid("INVALID_EVENT_DATA_MISSING", "event.data must be a string")
  if (name !== undefined && typeof name !== "string") {
    return invalid("INVALID_EVENT_NAME_TYPE", "event.name must be a string")
  }
  const problem = name === undefined ? undefined : nameProblem(name)
  if (problem !== undefined) return Either.left(new InvalidRequest({ field: "event.name", allowed: problem }))
  // UTF-8 needs at most three bytes for a UTF-16 unit: most events are settled without counting.
  if (data.length * 3 > maxEventBytes && Buffer.byteLength(data) > maxEventBytes) {
    return Either.left(new PayloadTooLarge({ field: "event.data", limit: maxEventBytes }))
  }
  return Either.right({ name: name || undefined, data })
}

/** Free of throws: the parser of the platform reports broken text by throwing, and only by that. */
const parseJson = (text: string): Either.Either<unknown, Failure> => {
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left(new InvalidRequest({ field: "body", allowed: "must be JSON" }))
  }
}

/** The body of `POST /internal/send`, checked in the order that backends rely on: target, event, its data and name, close. */
export const parse = (text: string, maxEventBytes: number): Either.Either<SendRequest, Failure> =>
  Either.gen(function* () {
    const json = yield* parseJson(text)
    const body = isObject(json) ? json : {}
    const to = yield* target(body)
    const event = yield* readEvent(body["event"], maxEventBytes)
    const { close, service } = body
    if (close !== undefined && typeof close !== "boolean") {
      return yield* invalid("INVALID_CLOSE_TYPE", "close must be a boolean")
    }
    return { to, event, close: close === true, service: typeof service === "string" ? service : undefined }
  })
