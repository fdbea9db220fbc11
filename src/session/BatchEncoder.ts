import type { NewEvent } from "../domain/Event.ts"
import type { SessionId } from "../domain/Session.ts"
import * as Frame from "../protocol/Frame.ts"
import * as Batch from "../store/Batch.ts"
import * as Frames from "../store/Frames.ts"
import type { AcceptedMessage } from "../store/Message.ts"

/** Numbers the events of one turn and encodes each once, into as few batches as their bounds allow (hot path). */
export interface BatchEncoder {
  /** The seq of the last event added. */
  readonly head: number
  readonly add: (events: ReadonlyArray<NewEvent>) => void
  /** The batches, in order. The last one carries all else: it is durable with the events, or neither is. */
  readonly finish: (other: Other) => ReadonlyArray<Batch.Batch>
}

interface Other {
  readonly receipts: ReadonlyArray<Batch.Receipt>
  readonly standing: Batch.Standing | undefined
  readonly messages: ReadonlyArray<AcceptedMessage>
  readonly settled: ReadonlyArray<string>
}

const nothing: Other = { receipts: [], standing: undefined, messages: [], settled: [] }

export const make = (log: {
  readonly session: SessionId
  readonly epoch: string
  readonly creates: boolean
  readonly head: number
  readonly at: number
}): BatchEncoder => {
  const { at, epoch, session } = log
  const batches: Array<Batch.Batch> = []
  let head = log.head
  let first = head + 1
  let events: Array<NewEvent> = []
  let text = ""

  const cut = (other: Other) => {
    const creates = log.creates && batches.length === 0
    const frames = Frames.fromText(text)
    batches.push({ session, epoch, creates, first, last: head, at, events, frames, ...other })
    first = head + 1
    events = []
    text = ""
  }

  return {
    get head() {
      return head
    },
    add: (added) => {
      for (const event of added) {
        const frame = Frame.event(epoch, head + 1, event.name, event.data)
        const isFull = events.length >= Batch.maxEvents || text.length + frame.length > Batch.maxBytes
        if (isFull && events.length > 0) cut(nothing)
        text += frame
        events.push(event)
        head += 1
      }
    },
    finish: (other) => {
      if (events.length > 0) cut(other)
      return batches
    }
  }
}
