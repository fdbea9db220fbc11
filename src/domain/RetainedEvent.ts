import { Schema } from "effect"
import type { NewEvent } from "./Event.ts"
import { Id } from "./Session.ts"

/** Under what an event is retained. It has the form of a session id and no other tie to sessions. */
export const RetainedKey = Id.pipe(Schema.brand("RetainedKey"))
export type RetainedKey = typeof RetainedKey.Type

/** The last value under a key (design §1). `at` in epoch milliseconds. */
export interface RetainedEvent extends NewEvent {
  readonly key: RetainedKey
  readonly at: number
}
