/** What one turn of the store writer makes of the appends that wait (hot path): numbered, decided and encoded. */
import { Either } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { type AppendError, HeadConflict, SessionEnded } from "../domain/SessionError.ts"
import * as Cursor from "../protocol/Cursor.ts"
import type { Batch, Receipt, Standing } from "../store/Batch.ts"
import type { AcceptedMessage } from "../store/Message.ts"
import type { Append, Appended } from "./Append.ts"
import * as BatchEncoder from "./BatchEncoder.ts"

/** The log as it is before the turn. */
export interface Log extends Standing {
  readonly session: SessionId
  readonly epoch: string
  readonly exists: boolean
  readonly head: number
}

export interface Answer {
  readonly append: Append
  readonly result: Either.Either<Appended, AppendError>
}

export interface Turn {
  /** In the order of the appends, but for those that were refused: they come first. */
  readonly answers: ReadonlyArray<Answer>
  readonly batches: ReadonlyArray<Batch>
  readonly head: number
  /** `undefined`: it stands as before. */
  readonly standing: Standing | undefined
}

interface Accepted {
  readonly append: Append
  readonly first: number
  readonly last: number
}

export const take = (log: Log, appends: ReadonlyArray<Append>, at: number): Turn => {
  const { epoch, exists, session } = log
  const encoder = BatchEncoder.make({ session, epoch, creates: !exists, head: log.head, at })
  const answers: Array<Answer> = []
  const accepted: Array<Accepted> = []
  const messages: Array<AcceptedMessage> = []
  const settled: Array<string> = []
  let standing: Standing = log

  const refuse = (append: Append, error: AppendError) => answers.push({ append, result: Either.left(error) })

  /** What is wrong with its expectation of the head, if anything. */
  const conflict = ({ expect }: Append): HeadConflict | undefined => {
    if (!expect || (expect.seq === encoder.head && (expect.epoch === undefined || expect.epoch === epoch))) {
      return undefined
    }
    // The epoch of a log that no append has made yet is nobody's business.
    const shown = exists || encoder.head > 0 ? epoch : Cursor.origin.epoch
    return new HeadConflict({ session, head: { epoch: shown, seq: encoder.head } })
  }

  /** True when it was taken. */
  const decide = (append: Append, first: number): boolean => {
    if (append.decide === undefined) {
      if (standing.state === "ENDED") refuse(append, new SessionEnded({ session }))
      else encoder.add(append.events)
      return standing.state !== "ENDED"
    }
    const { process, state } = standing
    const decided = append.decide({ session, epoch, exists: exists || encoder.head > 0, state, process })
    if (Either.isLeft(decided)) {
      refuse(append, decided.left)
      return false
    }
    const { events, message, settled: done = [], standing: next } = decided.right
    encoder.add(events)
    if (message !== undefined) messages.push({ ...message.accepted, seq: first + message.at })
    settled.push(...done)
    // What stands as before is not written: output of a process is as cheap as any other.
    const isMoved = next.state !== standing.state || next.process !== standing.process
    if (isMoved && events.length > 0) standing = next
    return true
  }

  for (const append of appends) {
    const refused = conflict(append)
    const first = encoder.head + 1
    if (refused !== undefined) refuse(append, refused)
    else if (decide(append, first)) accepted.push({ append, first, last: encoder.head })
  }
  const { head } = encoder
  const receipts: Array<Receipt> = []
  for (const { append, first, last } of accepted) {
    if (append.receipt) receipts.push({ ...append.receipt, first, last, head })
    answers.push({ append, result: Either.right({ epoch, first, last, head, repeated: false }) })
  }
  const next = standing === log ? undefined : standing
  return { answers, batches: encoder.finish({ receipts, standing: next, messages, settled }), head, standing: next }
}
