import { Array } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { NewEvent } from "../domain/Event.ts"
import { SessionId } from "../domain/Session.ts"
import * as Frame from "../protocol/Frame.ts"
import type * as Batch from "../store/Batch.ts"
import * as Frames from "../store/Frames.ts"

/** When a batch was committed unless it says otherwise: 2026-01-01T00:00:00Z, in epoch milliseconds. */
export const at = Date.UTC(2026, 0, 1)
const epoch = "e1"

/** The frames of a log's events from `first` on, as text. */
export const frameText = (first: number, events: ReadonlyArray<NewEvent>, ofEpoch = epoch): string =>
  events.map(({ data, name }, index) => Frame.event(ofEpoch, first + index, name, data)).join("")

/** `count` (1 or more) events whose data says their own number. */
export const numbered = (first: number, count: number): ReadonlyArray<NewEvent> =>
  Array.makeBy(count, (index) => ({ name: "message", data: `${first + index}` }))

type Other = Partial<Pick<Batch.Batch, "epoch" | "at" | "receipts" | "creates" | "standing" | "messages" | "settled">>

/** A batch as the store writer makes it; it creates its session when it begins at 1. */
export const make = (
  session: string,
  first: number,
  events: ReadonlyArray<NewEvent>,
  other: Other = {}
): Batch.Batch => {
  const batch = {
    epoch,
    at,
    receipts: [],
    creates: first === 1,
    standing: undefined,
    messages: [],
    settled: [],
    ...other
  }
  return {
    ...batch,
    session: SessionId.make(session),
    first,
    last: first + events.length - 1,
    events,
    frames: Frames.fromText(frameText(first, events, batch.epoch))
  }
}

/** A batch of `count` numbered events. */
export const ofNumbers = (session: string, first: number, count: number, other: Other = {}): Batch.Batch =>
  make(session, first, numbered(first, count), other)

/** `count` (1 or more) batches of one event each, from `first` on. */
export const singles = (
  session: string,
  first: number,
  count: number,
  other: Partial<Pick<Batch.Batch, "epoch" | "at">> = {}
): NonEmptyReadonlyArray<Batch.Batch> => Array.makeBy(count, (index) => ofNumbers(session, first + index, 1, other))
