import { createHash } from "node:crypto"
import { Context, Effect, Layer, Option } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import { type AppendError, MessageConflict, Overloaded } from "../../domain/SessionError.ts"
import type * as SessionEvent from "../../protocol/SessionEvent.ts"
import { EventStore } from "../../store/EventStore.ts"
import * as Decisions from "../Decisions.ts"
import * as MessageDispatch from "./MessageDispatch.ts"
import * as Once from "../Once.ts"
import { SessionRegistry } from "../SessionRegistry.ts"

/** What somebody says to a session. */
export interface NewMessage {
  /** The client's own, 1 to 128 characters: the same again is the same message. */
  readonly id: string
  /** JSON text. */
  readonly data: string
  /** The sender's request id. */
  readonly from: string | null
  /** The connection that the sender named. */
  readonly token: string | null
}

/** The message is stored; what becomes of it is told in the log. */
export interface Receipt {
  readonly id: string
  readonly session: SessionId
  readonly seq: number
  /** False: it is the receipt that an earlier request was given. */
  readonly isNew: boolean
}

/** Takes messages to sessions, whether something works for them now or not (design §5). */
export class Messages extends Context.Tag("sluice/session/Messages")<
  Messages,
  {
    /**
     * Stores the message and its receipt in one transaction with its event, before anything is dispatched. The same id with
     * the same data is given the same receipt. `told` comes before it in the log, the first time. A session that does not
     * exist is created by it.
     */
    readonly accept: (
      session: SessionId,
      message: NewMessage,
      told?: ReadonlyArray<SessionEvent.Process>
    ) => Effect.Effect<Receipt, AppendError | MessageConflict>
  }
>() {}

export const make = (
  /** Hears of every new message, once it is stored. */
  accepted: (session: SessionId) => void
) =>
  Effect.gen(function* () {
    const sessions = yield* SessionRegistry
    const store = yield* EventStore
    const once = Once.make<Receipt, AppendError | MessageConflict>()

    /** Those on their way into the store, which does not know of them yet. */
    const coming = new Map<SessionId, { messages: number; bytes: number }>()

    const reserved = (session: SessionId, size: number) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const known = coming.get(session) ?? { messages: 0, bytes: 0 }
          coming.set(session, { messages: known.messages + 1, bytes: known.bytes + size })
        }),
        () =>
          Effect.sync(() => {
            const { bytes, messages } = coming.get(session) ?? { messages: 1, bytes: size }
            if (messages === 1) coming.delete(session)
            else coming.set(session, { messages: messages - 1, bytes: bytes - size })
          })
      )

    /** One too many is refused when those that came at the same time fill the bound. */
    const admitted = (session: SessionId) =>
      Effect.filterOrFail(
        store.backlog(session),
        ({ bytes, messages }) => {
          const others = coming.get(session) ?? { messages: 0, bytes: 0 }
          const isRoom = messages + others.messages <= MessageDispatch.maxOpen
          return isRoom && bytes + others.bytes <= MessageDispatch.maxOpenBytes
        },
        () => new Overloaded({ what: "queue of messages" })
      )

    return Messages.of({
      accept: (session, message, told = []) =>
        Effect.suspend(() => {
          const { data, from, id, token } = message
          const digest = createHash("sha256").update(data).digest("hex")
          const decide = Decisions.accept({ id, digest, data, from, token }, told)
          return once({
            key: `${session} ${id}`,
            digest,
            conflict: new MessageConflict({ session, id }),
            former: Effect.map(
              store.message(session, id),
              Option.map((stored) => {
                // Its sender may never have heard of it, and neither may who takes it.
                if (stored.stage === "waiting") accepted(session)
                const receipt = { id, session, seq: stored.seq, isNew: false }
                return { digest: stored.digest, answer: Effect.succeed(receipt) }
              })
            ),
            first: reserved(session, Buffer.byteLength(data)).pipe(
              Effect.zipRight(admitted(session)),
              Effect.zipRight(sessions.decide(session, decide, [{ name: id, data }])),
              Effect.map(({ last }) => {
                accepted(session)
                return { id, session, seq: last, isNew: true }
              }),
              Effect.scoped
            ),
            again: (receipt) => ({ ...receipt, isNew: false })
          })
        })
    })
  })

/** Messages go to the process that works for their session, or wait for one. */
export const layer: Layer.Layer<Messages, never, SessionRegistry | EventStore> = Layer.effect(
  Messages,
  Effect.flatMap(SessionRegistry, (sessions) => make((session) => sessions.find(session)?.worker?.wake()))
)
