/**
 * Where a message is on its way to what works for its session. A crash leaves a message `begun` when nobody can know whether
 * it arrived: it is never dispatched again by itself (design §5).
 */
export type Stage = "waiting" | "begun" | "done"

/** A message as a batch accepts it: its receipt and what is to be dispatched, durable with its event `seq`. */
export interface AcceptedMessage {
  /** The client's own id: the same one never stands for two messages of a log. */
  readonly id: string
  /** Of the content: the same id with another content is a conflict. */
  readonly digest: string
  readonly seq: number
  /** JSON text. */
  readonly data: string
  /** The sender's request id. */
  readonly from: string | null
  /** The connection that the sender named. */
  readonly token: string | null
}

/** `data` is empty once the message is done. */
export interface StoredMessage extends AcceptedMessage {
  readonly stage: Stage
}
