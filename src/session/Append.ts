import type { Either } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import type { AppendError } from "../domain/SessionError.ts"

/** `repeated`: the answer of an earlier request with the same idempotency key; nothing was stored. */
export interface Appended {
  readonly epoch: string
  readonly first: number
  readonly last: number
  readonly head: number
  readonly repeated: boolean
}

/** `events` are valid: `Event.problem` knows none of theirs. */
export interface Append {
  readonly events: ReadonlyArray<NewEvent>
  /** Refuse unless the head is this one. */
  readonly expect?: { readonly epoch: string | undefined; readonly seq: number } | undefined
  readonly receipt?: { readonly key: string; readonly digest: string } | undefined
  readonly done: (result: Either.Either<Appended, AppendError>) => void
}

/** The weight of an event beside its data in the bounds of queues. */
const overhead = 64

export const weigh = (events: ReadonlyArray<NewEvent>): number => {
  let bytes = 0
  for (const event of events) bytes += event.data.length + event.name.length + overhead
  return bytes
}
