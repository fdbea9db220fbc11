import * as Waits from "./Waits.ts"

/** Messages that wait at most: a new one above it is refused, none is pushed out (design §8). */
export const maxMessages = 100

/** `id` is the same at each try, and so is `data`, JSON text: the server stores it once. */
export interface Message {
  readonly id: string
  readonly session: string
  readonly data: string
}

/**
 * What is to be sent, in order, one in flight at a time. Pure: a driver asks `next`, posts, and tells the `answer`. Times are
 * in milliseconds of the driver's own clock. A driver's messages may carry more than is sent.
 */
export interface Outbox<M extends Message = Message> {
  readonly messages: ReadonlyArray<M>
  /** The first of them is on its way. */
  readonly isPosting: boolean
  /** Tries of the first message that failed in a row. */
  readonly failures: number
  /** Not before. */
  readonly at: number
}

export const empty: Outbox<never> = { messages: [], isPosting: false, failures: 0, at: 0 }

/** `undefined`: it is full, and the app is to be told. */
export const add = <M extends Message>(outbox: Outbox<M>, message: M): Outbox<M> | undefined => {
  const { messages } = outbox
  return messages.length < maxMessages ? { ...outbox, messages: [...messages, message] } : undefined
}

/** What a driver does now: posts this message, waits until a time, or until something happens. */
export const next = <M extends Message>(
  { at, isPosting, messages }: Outbox<M>,
  now: number
): M | number | undefined => {
  const [message] = messages
  return message === undefined || isPosting ? undefined : now < at ? at : message
}

/** The first message is on its way. */
export const posting = <M extends Message>(outbox: Outbox<M>): Outbox<M> => ({ ...outbox, isPosting: true })

/** How a post ended. `status` 0: without an answer. `retryAfter` in milliseconds. */
export interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly retryAfter: number
}

/** What became of the message. `again`: it stays first; `stale`: so it does, for another connection than the one it named. */
export type Verdict = "accepted" | "again" | "stale" | "failed"

/** Later it may be answered otherwise. */
export const isTemporary = (status: number): boolean => [0, 408, 425, 429].includes(status) || status >= 500

/** The answer to the message in flight; `random` is in [0, 1). */
export const answer = <M extends Message>(
  { failures, messages }: Outbox<M>,
  { code, retryAfter, status }: Answer,
  now: number,
  random: number
): readonly [Outbox<M>, Verdict] => {
  const isStale = status === 404 && code === "CONNECTION_NOT_FOUND"
  if (!isStale && !isTemporary(status)) {
    return [{ ...empty, messages: messages.slice(1) }, status < 300 ? "accepted" : "failed"]
  }
  // Not at once on a second new connection: servers that do not share their connections would see a storm of them.
  const at = now + (isStale && failures === 0 ? 0 : Waits.delay(failures, random, retryAfter))
  return [{ messages, isPosting: false, failures: failures + 1, at }, isStale ? "stale" : "again"]
}
