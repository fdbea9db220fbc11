import type { NewEvent } from "../domain/Event.ts"
import type { SessionId, SessionState } from "../domain/Session.ts"
import * as Frame from "../protocol/Frame.ts"
import * as Frames from "./Frames.ts"
import type { AcceptedMessage } from "./Message.ts"

/** The answer to an append with an idempotency key, kept for 24 hours so that the same request gets it again. */
export interface Receipt {
  readonly key: string
  /** Of the body: the same key with another body is a conflict. */
  readonly digest: string
  readonly first: number
  readonly last: number
  readonly head: number
}

/** How a session stands after a batch that moves it: true in the store from the moment when its events are. */
export interface Standing {
  readonly state: SessionState
  /** What a later server must know of the process that works for the session, as text; null when none does. */
  readonly process: string | null
}

/**
 * What one commit makes durable of one session, encoded once (design §1): the unit of storage and of fan-out.
 * At most `maxEvents` events or `maxBytes` of frames, unless a single event is larger.
 */
export interface Batch {
  readonly session: SessionId
  readonly epoch: string
  /** The session does not exist yet: the commit creates it. */
  readonly creates: boolean
  readonly first: number
  readonly last: number
  /** Epoch milliseconds of the commit. */
  readonly at: number
  readonly events: ReadonlyArray<NewEvent>
  /** `last - first + 1` frames of a stream over a single session. */
  readonly frames: Frames.Frames
  readonly receipts: ReadonlyArray<Receipt>
  /** `undefined`, as nearly always: the session stands as it did. */
  readonly standing: Standing | undefined
  readonly messages: ReadonlyArray<AcceptedMessage>
  /** Ids of messages that are done with it: its events say what became of them. */
  readonly settled: ReadonlyArray<string>
}

export const maxEvents = 500
export const maxBytes = 262_144

/** The same events as frames of a stream over several sessions. */
export const wrap = (
  batch: Pick<Batch, "session" | "epoch" | "first" | "at">,
  events: ReadonlyArray<NewEvent>
): Frames.Frames => {
  const at = new Date(batch.at).toISOString()
  const { session, epoch, first } = batch
  let text = ""
  for (const [index, { name, data }] of events.entries()) {
    text += Frame.wrapped({ session, epoch, seq: first + index, name, data, at })
  }
  return Frames.fromText(text)
}
