import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Api from "../../domain/Api.ts"
import type { SessionId } from "../../domain/Session.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as Exchange from "./Exchange.ts"
import * as Retrying from "./Retrying.ts"

/** `id`, 1 to 128 characters without controls, is the sender's own: the same again is the same message. */
export interface Message {
  readonly id: string
  /** Any value that JSON can write; one that it cannot is a defect. */
  readonly data: unknown
}

/** It is in the log at `seq`; what becomes of it is told there, behind that place. */
export type Receipt = typeof Api.Accepted.Type

type Route = "messages" | "interrupt" | "stop"

// Written once: each try has the same bytes.
const post = (remote: Exchange.Remote, session: SessionId, route: Route, body: unknown) =>
  Exchange.request("POST", remote, `${Paths.session(session)}/${route}`).pipe(
    HttpClientRequest.bodyUnsafeJson(body),
    Exchange.read(Api.Accepted)
  )

/** Again with the same id until there is an answer, or `policy` ends: stored once, however often it is sent. */
export const send = (remote: Exchange.Remote, session: SessionId, { data, id }: Message, policy: Retrying.Policy) =>
  post(remote, session, "messages", { id, data }).pipe(Retrying.persistently(policy))

/** Once: who gets `Unavailable` cannot know whether it was heard. */
export const ask = (
  remote: Exchange.Remote,
  session: SessionId,
  what: "interrupt" | "stop",
  message: Message | undefined
) => post(remote, session, what, message === undefined ? {} : { message: { id: message.id, data: message.data } })
