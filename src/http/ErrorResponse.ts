import type { InvalidSend, RetainedNotFound } from "../domain/GatewayError.ts"
import type {
  AppendError,
  ConnectionNotFound,
  InvalidRequest,
  MessageConflict,
  NothingRuns,
  PayloadTooLarge,
  SessionNotFound
} from "../domain/SessionError.ts"
import * as Cursor from "../protocol/Cursor.ts"
import type { ConnectError } from "../gateway/ConnectFlow.ts"
import type { SendError } from "../gateway/Gateway.ts"
import type { RequestError } from "./RequestError.ts"

/** Everything that a route can answer instead of its success. */
export type HttpError =
  | AppendError
  | ConnectError
  | ConnectionNotFound
  | InvalidRequest
  | InvalidSend
  | MessageConflict
  | NothingRuns
  | PayloadTooLarge
  | RetainedNotFound
  | SendError
  | SessionNotFound
  | RequestError

export interface ErrorResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const respond = (
  status: number,
  code: string,
  message: string,
  details?: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {}
): ErrorResponse => ({
  status,
  headers,
  body: JSON.stringify({ error: { code, message, ...(details ? { details } : {}) } })
})

const later = { "Retry-After": "1" }

/** The one table from what happened to HTTP (contract, first section). The switch is exhaustive: a new error has no default. */
export const make = (error: HttpError): ErrorResponse => {
  switch (error._tag) {
    case "InvalidRequest":
      return respond(400, "INVALID_REQUEST", error.message, { field: error.field, allowed: error.allowed })
    case "InvalidSend":
      return respond(400, error.code, error.allowed)
    case "Unauthorized":
      return respond(401, "UNAUTHORIZED", "a valid API key is needed", undefined, { "WWW-Authenticate": "Bearer" })
    case "OriginNotAllowed":
      return respond(403, "ORIGIN_NOT_ALLOWED", `${error.header} is not allowed here`, {
        header: error.header,
        value: error.value.slice(0, 256)
      })
    case "RouteNotFound":
      return respond(404, "NOT_FOUND", "there is no such route")
    case "SessionNotFound":
      return respond(404, "SESSION_NOT_FOUND", `there is no session ${error.session}`)
    case "ConnectionNotFound":
      return respond(404, "CONNECTION_NOT_FOUND", "no open connection has this token")
    case "TokenNotFound":
      return respond(404, "TOKEN_NOT_FOUND", "no connection has this token or request_id")
    case "RetainedNotFound":
      return respond(404, "RETAINED_NOT_FOUND", `nothing is retained under ${error.key}`)
    case "MethodNotAllowed":
      return respond(405, "METHOD_NOT_ALLOWED", `use ${error.allow}`, undefined, { Allow: error.allow })
    case "HeadConflict":
      return respond(409, "CONFLICT", "the head is another one", {
        session: error.session,
        epoch: error.head.epoch,
        head: error.head.seq,
        cursor: Cursor.format(error.head)
      })
    case "KeyConflict":
      return respond(409, "CONFLICT", "this Idempotency-Key was used with another body")
    case "MessageConflict":
      return respond(409, "CONFLICT", `the message id ${error.id} was used with another content`)
    case "InvalidTransition":
      return respond(409, "INVALID_TRANSITION", `a session does not move from ${error.from} to ${error.to}`, {
        session: error.session,
        from: error.from,
        to: error.to
      })
    case "NothingRuns":
      return respond(409, "NOTHING_RUNS", `no process works for session ${error.session}`)
    case "SessionEnded":
      return respond(409, "SESSION_ENDED", `session ${error.session} has ended`)
    case "PayloadTooLarge":
      return respond(413, "PAYLOAD_TOO_LARGE", error.message, { field: error.field, limit: error.limit })
    case "UnsupportedEncoding":
      return respond(415, "UNSUPPORTED_ENCODING", "send the body without Content-Encoding")
    case "WriteFailed":
      return respond(500, "WRITE_FAILED", "the connection broke while the event was written")
    case "BackendRefused":
      return respond(error.status, "BACKEND_ERROR", `the backend answered ${error.status}`)
    case "BackendRedirected":
      return respond(502, "BACKEND_ERROR", "the backend answered with a redirect, which is not followed")
    case "GatewayNotConfigured":
      return respond(503, "SERVICE_NOT_CONFIGURED", "CALLBACK_URL is not set")
    case "GatewayUnavailable":
      return respond(503, "GATEWAY_UNAVAILABLE", "the gateway gave no answer", undefined, later)
    case "BackendUnavailable":
      return respond(503, "BACKEND_UNAVAILABLE", "the backend cannot be reached", undefined, later)
    case "ShuttingDown":
      return respond(503, "SHUTTING_DOWN", "the server is about to stop", undefined, later)
    case "BackendTimeout":
      return respond(504, "GATEWAY_TIMEOUT", "the backend did not answer in time")
    case "Overloaded":
      return respond(503, "OVERLOADED", `the ${error.what} is full, try again`, undefined, later)
    case "SessionInterrupted":
      return respond(503, "SESSION_INTERRUPTED", "it is not known whether this was stored, try again", undefined, later)
    case "StoreError":
      return error.reason === "Full"
        ? respond(507, "STORE_FULL", "the store has no space left", undefined, later)
        : respond(503, "STORE_UNAVAILABLE", "the store does not answer", undefined, later)
  }
}

/** What only a bug can cause: the cause is in the log, not in the answer. */
export const defect: ErrorResponse = respond(500, "INTERNAL", "something went wrong here")
