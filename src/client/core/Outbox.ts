import * as Backoff from "../../protocol/Backoff.ts"

/** Messages that wait at most: a new one above it is refused, none is pushed out (design §8). */
export const maxMessages = 100

const backoff: Backoff.Backoff = { base: 500, max: 30_000 }

/** `id` is the same at each try, and so is `data`, JSON text: the server stores it once. */
export interface Message {
  readonly id: string
  readonly session: string
  readonly data: string
}

/**
 * What is to be sent, in order, one in flight at a time. Pure: a driver asks `next`, posts, and tells the `answer`. Times are
 * in milliseconds of the driver's own clock.
 */
export interface Outbox {
  readonly messages: ReadonlyArray<Message>
  /** The id of the message that is on its way. */
  readonly inFlight: string | undefined
  /** Tries of the first message that failed in a row. */
  readonly failures: number
  /** Not before. */
  readonly at: number
  /** The connection that the server does not know any more: another one is waited for. */
  readonly stale: string | undefined
}

export const empty: Outbox = { messages: [], inFlight: undefined, failures: 0, at: 0, stale: undefined }

/** What was kept over a reload, in its order. What is above the bound was never taken, so there is none. */
export const restore = (messages: ReadonlyArray<Message>): Outbox => ({
  ...empty,
  messages: messages.slice(0, maxMessages)
})

/** `undefined`: it is full, and the app is to be told. The same id again is the message that waits already. */
export const add = (outbox: Outbox, message: Message): Outbox | undefined => {
  if (outbox.messages.some(({ id, session }) => id === message.id && session === message.session)) return outbox
  if (outbox.messages.length >= maxMessages) return undefined
  return { ...outbox, messages: [...outbox.messages, message] }
}

/** What a driver does now: post, wait until a time, or until something happens. */
export type Next =
  | { readonly _tag: "Post"; readonly outbox: Outbox; readonly message: Message }
  | { readonly _tag: "Wait"; readonly until: number }
  | { readonly _tag: "Idle" }

/** `token` is that of the present connection, `undefined` while there is none: nothing is sent then. */
export const next = (outbox: Outbox, now: number, token: string | undefined): Next => {
  const [message] = outbox.messages
  if (message === undefined || outbox.inFlight !== undefined) return { _tag: "Idle" }
  if (token === undefined || token === outbox.stale) return { _tag: "Idle" }
  if (now < outbox.at) return { _tag: "Wait", until: outbox.at }
  return { _tag: "Post", message, outbox: { ...outbox, inFlight: message.id } }
}

/** How a post ended: with an answer, or without one. `code` and `retryAfter` (milliseconds) as the server said. */
export type Answer =
  | {
      readonly _tag: "Answered"
      readonly status: number
      readonly code: string | undefined
      readonly retryAfter: number
      /** The connection that the post named. */
      readonly token: string
    }
  | { readonly _tag: "NoAnswer" }

/** What became of the message. `Again`: it stays first. */
export type Verdict = "Accepted" | "Again" | "Failed"

const isTemporary = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500

const verdictOf = (answer: Answer): Verdict => {
  if (answer._tag === "NoAnswer") return "Again"
  if (answer.status >= 200 && answer.status < 300) return "Accepted"
  const isStale = answer.status === 404 && answer.code === "CONNECTION_NOT_FOUND"
  return isStale || isTemporary(answer.status) ? "Again" : "Failed"
}

/** The answer to the message in flight; `random` is in [0, 1). */
export const answer = (outbox: Outbox, answer: Answer, now: number, random: number): readonly [Outbox, Verdict] => {
  const verdict = verdictOf(answer)
  const { failures, messages } = outbox
  if (verdict !== "Again") {
    return [{ ...empty, messages: messages.slice(1) }, verdict]
  }
  const floor = answer._tag === "Answered" ? answer.retryAfter : 0
  const stale = answer._tag === "Answered" && answer.status === 404 ? answer.token : undefined
  const wait = stale === undefined ? Backoff.delay(backoff, failures, random, floor) : 0
  return [{ messages, inFlight: undefined, failures: failures + 1, at: now + wait, stale }, verdict]
}
