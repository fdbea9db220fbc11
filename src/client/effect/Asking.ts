import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect } from "effect"
import * as Api from "../../domain/Api.ts"
import type { SessionId } from "../../domain/Session.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as Json from "../core/Json.ts"
import * as Outbox from "../core/Outbox.ts"
import * as Attempts from "./Attempts.ts"
import * as Exchange from "./Exchange.ts"
import type { Policy } from "./Retrying.ts"
import * as Turns from "./Turns.ts"
import * as Watchers from "./Watchers.ts"

/** `id`, 1 to 128 characters without controls, is the sender's own: the same again is the same message. */
export interface Message {
  readonly id: string
  /** Any value that JSON can write; one that it cannot is a defect. */
  readonly data: unknown
}

/** It is in the log at `seq`; what becomes of it is told there, behind that place. */
export type Receipt = typeof Api.Accepted.Type

type Route = "messages" | "interrupt" | "stop"

/** Of the connection that was named, nothing else: nothing was done. */
const isStale = (error: Exchange.Refused | Exchange.Unavailable): error is Exchange.Refused =>
  error._tag === "Refused" && error.status === 404 && error.code === "CONNECTION_NOT_FOUND"

export const make = (remote: Exchange.Remote, watchers: Watchers.Watchers, retries: Policy) => {
  const inTurn = Turns.make(Outbox.maxMessages)

  const post = (session: SessionId, route: Route, written: string, token: string | undefined) =>
    Exchange.request("POST", remote, `${Paths.session(session)}/${route}`).pipe(
      HttpClientRequest.bodyUnsafeJson({ ...Json.parse(written), token }),
      Exchange.read(Api.Accepted),
      Effect.tapError((error) =>
        isStale(error) && token !== undefined ? Watchers.renew(watchers, token) : Effect.void
      )
    )

  /**
   * Messages one after the other. Each is posted again with the same id and data until there is an answer, or the policy ends:
   * stored once, however often it is sent. Interrupted in the line it is not sent; while it is posted, the request is
   * aborted: nobody knows whether the server has it, and who sends the same again gets the same receipt.
   */
  const send = (session: SessionId, { data, id }: Message) =>
    Effect.suspend(() => {
      const written = JSON.stringify({ id, data }) // once: whatever becomes of `data`, each try has the same
      return Watchers.nextToken(watchers, session).pipe(
        Effect.flatMap((token) => post(session, "messages", written, token)),
        Effect.catchIf(isStale, ({ text }) => Effect.fail(new Exchange.Unavailable({ why: text, retryAfter: 0 }))),
        Attempts.persistently(retries),
        inTurn
      )
    })

  /** Once: who gets `Unavailable` cannot know whether it was heard. It waits for no message. */
  const ask = (session: SessionId, what: "interrupt" | "stop", message: Message | undefined) =>
    Effect.suspend(() => {
      const written = JSON.stringify(message === undefined ? {} : { message: { id: message.id, data: message.data } })
      return Effect.flatMap(Watchers.token(watchers, session), (token) => post(session, what, written, token))
    })

  return { send, ask } as const
}
