import { Effect } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import type { SessionId } from "../domain/Session.ts"
import type { AppendError } from "../domain/SessionError.ts"
import * as SessionEvent from "../protocol/SessionEvent.ts"
import { EventStore } from "../store/EventStore.ts"
import type { StoredMessage } from "../store/Message.ts"
import type { Append, Appended, Decide } from "./Append.ts"
import * as MessageDispatch from "./inbox/MessageDispatch.ts"
import type { SessionActor } from "./SessionActor.ts"

/** What ends a session, or lets go of its process. */
export interface Conclusion {
  /** Messages that nobody will take after it; of those that may have been taken already it is told anyway. */
  readonly losesWaiting: boolean
  /** Why they are lost, in words. */
  readonly why: string
  /** What is appended: with `told` of the messages, which `settled` names, first. */
  readonly decide: (told: ReadonlyArray<NewEvent>, settled: ReadonlyArray<string>) => Decide
}

const mayHaveArrived = "it is not known whether the process took it: please check, it is not sent again"

const tell = ({ id, stage }: StoredMessage, why: string): NewEvent =>
  SessionEvent.process(
    stage === "begun"
      ? { event: "message_unknown", id, problem: mayHaveArrived }
      : { event: "message_failed", id, problem: why }
  )

/** A producer that never rests cannot keep a session from its end. */
const attempts = 20

/**
 * Appends a conclusion together with what becomes of the messages that are not done, in one transaction: none is lost in
 * silence, and nothing is told twice.
 */
export const make = (rooms: {
  readonly start: (session: SessionId) => Effect.Effect<SessionActor, AppendError>
  readonly append: (session: SessionId, append: Omit<Append, "done">) => Effect.Effect<Appended, AppendError>
  /** False: messages go elsewhere, also after the end. */
  readonly messagesWait: boolean
}) =>
  Effect.map(EventStore, (store) => {
    /** `isSure`: no message may have come meanwhile. */
    const once = (session: SessionId, { decide, losesWaiting, why }: Conclusion, isSure: boolean) =>
      Effect.gen(function* () {
        const { head } = yield* rooms.start(session)
        const open = rooms.messagesWait ? yield* store.openMessages(session, MessageDispatch.maxOpen + 1) : []
        const lost = open.filter(({ stage }) => losesWaiting || stage === "begun")
        const told = lost.map((message) => tell(message, why))
        const ids = lost.map(({ id }) => id)
        const expect = isSure ? { epoch: undefined, seq: head } : undefined
        return yield* rooms.append(session, { events: told, decide: decide(told, ids), expect })
      })

    return (session: SessionId, conclusion: Conclusion): Effect.Effect<Appended, AppendError> =>
      once(session, conclusion, true).pipe(
        Effect.retry({ while: ({ _tag }) => _tag === "HeadConflict", times: attempts }),
        Effect.catchTag("HeadConflict", () => once(session, conclusion, false))
      )
  })
