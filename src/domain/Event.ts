import { Schema } from "effect"
import * as ControlFrame from "../protocol/ControlFrame.ts"
import * as Frame from "../protocol/Frame.ts"
import { InvalidRequest } from "./SessionError.ts"

/** The most events of one append (contract §2). */
export const maxEvents = 1000

/** The longest event name, in UTF-16 units. */
export const maxNameLength = 256

/** Why a name cannot be published, or `undefined` when it can. */
export const nameProblem = (name: string): string | undefined => {
  if (name.length > maxNameLength) return `must have at most ${maxNameLength} characters`
  if (!Frame.isFieldSafe(name)) return "must not contain control characters"
  if (name.startsWith(ControlFrame.reservedPrefix)) return `must not start with ${ControlFrame.reservedPrefix}`
  return undefined
}

/** What a producer sends: not yet ordered, not yet durable. An absent or empty name is `message`, as in SSE. */
export interface NewEvent {
  readonly name: string
  readonly data: string
}

/** The first thing that is wrong with events that were not read by `AppendBody`, or `undefined`. All or nothing. */
export const problem = (events: ReadonlyArray<NewEvent>): InvalidRequest | undefined => {
  if (events.length < 1 || events.length > maxEvents) {
    return new InvalidRequest({ field: "events", allowed: `must have 1 to ${maxEvents} members` })
  }
  for (const [index, { name }] of events.entries()) {
    const allowed = name === "" ? "must not be empty: an event without a name is a message" : nameProblem(name)
    if (allowed !== undefined) return new InvalidRequest({ field: `events[${index}].name`, allowed })
  }
  return undefined
}

/** What the store has committed; it never changes again. `at` is the time of the commit (RFC 3339, UTC). */
export const Event = Schema.Struct({
  seq: Schema.NonNegativeInt,
  name: Schema.String,
  data: Schema.String,
  at: Schema.String
})
export type Event = typeof Event.Type
