import type { SessionId } from "../../domain/Session.ts"
import type { TestSocket } from "../TestSocket.ts"

/** Under what the backend retains events. */
export const retainedKeys = ["kept.a", "kept.b"] as const
export type Key = (typeof retainedKeys)[number]

/** A stream, and the client that reads it. */
export interface Reader {
  readonly socket: TestSocket
  /** Where it asked to begin, by session; `undefined` at the head. */
  readonly from: ReadonlyMap<SessionId, number | undefined>
  /** The session of a stream over a single one. */
  readonly only: SessionId | undefined
  isPaused: boolean
  /** It may not have got all that was written to it. */
  wasPaused: boolean
  /** The retained values that were acknowledged before it came. */
  readonly retained: ReadonlyMap<Key, number>
}
