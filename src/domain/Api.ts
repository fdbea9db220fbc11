import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { disconnectReasons } from "./Connection.ts"
import { Event } from "./Event.ts"
import { RetainedKey } from "./RetainedEvent.ts"
import { SessionId, SessionState, SessionSummary } from "./Session.ts"

/** The contract's routes as data. Requests and answers of the hot routes (append, streams) are in `http/`. */

const whole = (min: number, max: number) =>
  Schema.NumberFromString.pipe(
    Schema.int(),
    Schema.between(min, max),
    Schema.annotations({ message: () => ({ message: `must be a whole number from ${min} to ${max}`, override: true }) })
  )

const oneOf = <const Values extends readonly [string, ...Array<string>]>(...values: Values) =>
  Schema.Literal(...values).annotations({
    message: () => ({ message: `must be one of ${values.join(", ")}`, override: true })
  })

/** A page of at most 1,000; 100 unless said otherwise. */
const Limit = Schema.optionalWith(whole(1, 1000), { default: () => 100 })

const id = HttpApiSchema.param("id", SessionId)

export const History = Schema.Struct({
  session: SessionId,
  epoch: Schema.String,
  oldest: Schema.NonNegativeInt,
  head: Schema.NonNegativeInt,
  events: Schema.Array(Event)
})

export const SessionList = Schema.Struct({
  sessions: Schema.Array(SessionSummary),
  next: Schema.optionalWith(Schema.String, { exact: true })
})

/** `cursor` decides before `from`; neither means head. */
export const WatchBody = Schema.Struct({
  sessions: Schema.Array(
    Schema.Struct({
      session: SessionId,
      cursor: Schema.optionalWith(Schema.String, { exact: true }),
      from: Schema.optionalWith(oneOf("start", "head"), { exact: true })
    })
  ).pipe(Schema.minItems(1), Schema.maxItems(100))
})

/** Where a session is to go, and why: for the log. `token`: of the connection that asks, which owns the session by it. */
export const StateBody = Schema.Struct({
  state: SessionState,
  reason: Schema.optionalWith(
    Schema.String.pipe(Schema.maxLength(256, { message: () => "must have at most 256 characters" })),
    { exact: true }
  ),
  token: Schema.optionalWith(Schema.String, { exact: true })
})

/** The client's own id of a message: the same again is the same message. `token`: as in `StateBody`. */
const messageId = Schema.String.pipe(
  Schema.pattern(/^[^\p{Cc}]{1,128}$/u, { message: () => "must be 1 to 128 characters, no control characters" })
)

const Message = Schema.Struct({ id: messageId, data: Schema.Unknown })

export const MessageBody = Schema.Struct({
  ...Message.fields,
  token: Schema.optionalWith(Schema.String, { exact: true })
})

/** To interrupt or to stop, perhaps with something to say. */
export const AskBody = Schema.Struct({
  message: Schema.optionalWith(Message, { exact: true }),
  token: Schema.optionalWith(Schema.String, { exact: true })
})

/** It is in the log at `seq`, and what becomes of it will be. `id`: of the message. */
export const Accepted = Schema.Struct({
  id: Schema.optionalWith(Schema.String, { exact: true }),
  session: SessionId,
  seq: Schema.NonNegativeInt,
  accepted: Schema.Literal(true)
})

export const Watching = Schema.Struct({ watching: Schema.Array(SessionId) })

export const Ready = Schema.Struct({
  status: Schema.Literal("ready", "not_ready"),
  configured: Schema.Boolean,
  /** Only in the profile of the older sidecar, whose probes read it. */
  rabbitmq: Schema.optionalWith(Schema.Literal("disabled"), { exact: true }),
  reasons: Schema.optionalWith(Schema.Array(Schema.String), { exact: true })
})

/** An event for every open stream, stored nowhere. `service` labels the metrics. */
export const BroadcastBody = Schema.Struct({
  name: Schema.optional(Schema.String),
  data: Schema.Unknown,
  service: Schema.optional(Schema.String)
})

/** Whose streams end now: those that watch a session, or one by its token. */
export const RevokeBody = Schema.Union(Schema.Struct({ session: SessionId }), Schema.Struct({ token: Schema.String }))

/** The last value under a key. */
export const RetainedSummary = Schema.Struct({
  key: RetainedKey,
  name: Schema.String,
  data: Schema.String,
  at: Schema.String
})

/** An open stream as operators see it. `request_id` when the backend gave it one. */
export const ConnectionSummary = Schema.Struct({
  token: Schema.String,
  request_id: Schema.optionalWith(Schema.String, { exact: true }),
  watching: Schema.Array(SessionId),
  openedAt: Schema.String
})

export const ConnectionList = Schema.Struct({
  connections: Schema.Array(ConnectionSummary),
  next: Schema.optionalWith(Schema.String, { exact: true })
})

/** A disconnect that the backend could not be told of for an hour: kept for 7 days. */
export const DeadLetterSummary = Schema.Struct({
  token: Schema.String,
  reason: Schema.Literal(...disconnectReasons),
  attempts: Schema.NonNegativeInt,
  /** What the last attempt met. */
  problem: Schema.String,
  owedAt: Schema.String,
  diedAt: Schema.String
})

export const DeadLetterList = Schema.Struct({
  deadLetters: Schema.Array(DeadLetterSummary),
  next: Schema.optionalWith(Schema.String, { exact: true })
})

/** Of all connections, those after the token `after`. */
const ByToken = Schema.Struct({ after: Schema.optional(Schema.String), limit: Limit })

const sessions = HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.get("history")`/v1/sessions/${id}/events`
      .setUrlParams(
        Schema.Struct({
          after: Schema.optionalWith(whole(0, Number.MAX_SAFE_INTEGER), { default: () => 0 }),
          before: Schema.optionalWith(whole(0, Number.MAX_SAFE_INTEGER), { default: () => Number.MAX_SAFE_INTEGER }),
          limit: Limit,
          order: Schema.optionalWith(oneOf("asc", "desc"), { default: () => "asc" as const })
        })
      )
      .addSuccess(History)
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/sessions")
      .setUrlParams(
        Schema.Struct({
          state: Schema.optional(SessionState),
          after: Schema.optional(SessionId),
          limit: Limit
        })
      )
      .addSuccess(SessionList)
  )
  .add(HttpApiEndpoint.get("get")`/v1/sessions/${id}`.addSuccess(SessionSummary))
  .add(HttpApiEndpoint.del("remove")`/v1/sessions/${id}`.addSuccess(HttpApiSchema.NoContent))

const token = HttpApiSchema.param("token", Schema.String)

const life = HttpApiGroup.make("life")
  .add(HttpApiEndpoint.put("move")`/v1/sessions/${id}/state`.setPayload(StateBody).addSuccess(SessionSummary))
  .add(
    HttpApiEndpoint.post("message")`/v1/sessions/${id}/messages`
      .setPayload(MessageBody)
      .addSuccess(Accepted, { status: 202 })
  )
  .add(
    HttpApiEndpoint.post("interrupt")`/v1/sessions/${id}/interrupt`
      .setPayload(AskBody)
      .addSuccess(Accepted, { status: 202 })
  )
  .add(HttpApiEndpoint.post("stop")`/v1/sessions/${id}/stop`.setPayload(AskBody).addSuccess(Accepted, { status: 202 }))
  .add(HttpApiEndpoint.post("suspend")`/v1/connections/${token}/suspend`.addSuccess(HttpApiSchema.NoContent))

const connections = HttpApiGroup.make("connections")
  .add(HttpApiEndpoint.post("watch")`/v1/connections/${token}/watch`.setPayload(WatchBody).addSuccess(Watching))
  .add(HttpApiEndpoint.post("unwatch")`/v1/connections/${token}/unwatch`.setPayload(WatchBody).addSuccess(Watching))

  .add(HttpApiEndpoint.get("listConnections", "/v1/connections").setUrlParams(ByToken).addSuccess(ConnectionList))
  .add(
    HttpApiEndpoint.post("broadcast", "/v1/broadcast")
      .setPayload(BroadcastBody)
      .addSuccess(Schema.Struct({ connections: Schema.NonNegativeInt }), { status: 202 })
  )
  .add(
    HttpApiEndpoint.post("revoke", "/v1/revoke")
      .setPayload(RevokeBody)
      .addSuccess(Schema.Struct({ connections: Schema.NonNegativeInt }))
  )
  .add(HttpApiEndpoint.del("close")`/v1/connections/${token}`.addSuccess(HttpApiSchema.NoContent))

const key = HttpApiSchema.param("key", RetainedKey)

const retained = HttpApiGroup.make("retained")
  .add(
    HttpApiEndpoint.put("putRetained")`/v1/retained/${key}`
      .setPayload(Schema.Struct({ name: Schema.optional(Schema.String), data: Schema.Unknown }))
      .addSuccess(Schema.Struct({ key: RetainedKey, connections: Schema.NonNegativeInt }))
  )
  .add(HttpApiEndpoint.get("getRetained")`/v1/retained/${key}`.addSuccess(RetainedSummary))
  .add(HttpApiEndpoint.del("removeRetained")`/v1/retained/${key}`.addSuccess(HttpApiSchema.NoContent))

const deadLetters = HttpApiGroup.make("deadLetters")
  .add(HttpApiEndpoint.get("listDead", "/v1/dead-letters").setUrlParams(ByToken).addSuccess(DeadLetterList))
  .add(
    HttpApiEndpoint.post("retry")`/v1/dead-letters/${token}/retry`.addSuccess(Schema.Struct({ token: Schema.String }), {
      status: 202
    })
  )

const operations = HttpApiGroup.make("operations")
  .add(HttpApiEndpoint.get("healthz", "/healthz").addSuccess(Schema.Struct({ status: Schema.Literal("ok") })))
  .add(
    HttpApiEndpoint.get("readyz", "/readyz")
      .setUrlParams(Schema.Struct({ for: Schema.optional(oneOf("sessions")) }))
      .addSuccess(Ready)
      .addSuccess(Ready, { status: 503 })
  )
  .add(
    HttpApiEndpoint.get("metrics", "/metrics").addSuccess(
      HttpApiSchema.Text({ contentType: "text/plain; version=0.0.4; charset=utf-8" })
    )
  )

export const api = HttpApi.make("sluice")
  .add(sessions)
  .add(life)
  .add(connections)
  .add(retained)
  .add(deadLetters)
  .add(operations)
