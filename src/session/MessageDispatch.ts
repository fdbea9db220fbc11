import { Effect, Exit, Schedule } from "effect"
import type { SessionId } from "../domain/Session.ts"
import type { StoreError } from "../domain/SessionError.ts"
import type { Overloaded } from "../domain/SessionError.ts"
import type { Message } from "../process/Process.ts"
import type * as SessionEvent from "../protocol/SessionEvent.ts"
import { EventStore } from "../store/EventStore.ts"
import type { Stage, StoredMessage } from "../store/Message.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import { problemOf } from "./Deadline.ts"

/** Messages of one session that are not done, and the bytes of their data (design §4: every queue has a bound). */
export const maxOpen = 1000
export const maxOpenBytes = 8 * 1024 * 1024
/** Read from the store at once. */
const pieceOfOpen = 50

/** What the store refuses is asked for again, until the process ends: it does not come to the error. */
const persistently = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A> =>
  Effect.orDie(Effect.retry(effect, Schedule.spaced("1 second")))

const mayHaveArrived = "it is not known whether the process took it: please check, it is not sent again"

/** `data` was JSON when it was accepted. */
const fromStored = ({ data, from, id }: StoredMessage): Effect.Effect<Message> =>
  Effect.sync(() => ({ id, data: JSON.parse(data) as unknown, from })) // as: `JSON.parse` gives any

/** What is said of messages that no process will take any more: nothing is dropped in silence. */
export const lost = (open: ReadonlyArray<StoredMessage>, why: string): ReadonlyArray<SessionEvent.Process> =>
  open.map(({ id, stage }) =>
    stage === "begun"
      ? { event: "message_unknown", id, problem: mayHaveArrived }
      : { event: "message_failed", id, problem: why }
  )

export const make = Effect.gen(function* () {
  const store = yield* EventStore
  const writer = yield* StoreWriter

  const stage = (
    session: SessionId,
    messages: ReadonlyArray<{ readonly id: string }>,
    to: Stage
  ): Effect.Effect<void, StoreError | Overloaded> =>
    messages.length === 0
      ? Effect.void
      : writer.run(
          Effect.suspend(() =>
            store.stage(
              session,
              messages.map(({ id }) => ({ id, stage: to }))
            )
          )
        )

  const open = (session: SessionId, limit = maxOpen) => store.openMessages(session, limit)

  /**
   * Hands the messages of a session over, one after the other, in the order of their events; each is marked before, so that
   * a crash cannot make it arrive twice. Never fails, and ends only by interruption: a message under way then stays `begun`.
   */
  const run = (
    session: SessionId,
    to: {
      /** Waits until there may be more. */
      readonly more: Effect.Effect<void>
      /** Waits while none may be sent. */
      readonly allowed: Effect.Effect<void>
      readonly send: (message: Message) => Effect.Effect<void, unknown>
      readonly tell: (body: SessionEvent.Process) => Effect.Effect<void>
    }
  ): Effect.Effect<never> => {
    const dispatch = (stored: StoredMessage) =>
      Effect.gen(function* () {
        yield* persistently(stage(session, [stored], "begun"))
        const message = yield* fromStored(stored)
        const exit = yield* Effect.exit(Effect.suspend(() => to.send(message)))
        if (Exit.isFailure(exit))
          yield* to.tell({ event: "message_failed", id: stored.id, problem: problemOf(exit.cause) })
        yield* persistently(stage(session, [stored], "done"))
      })

    const piece = Effect.flatMap(persistently(open(session, pieceOfOpen)), (found) =>
      Effect.as(
        Effect.forEach(found, (message) => Effect.zipRight(to.allowed, dispatch(message)), { discard: true }),
        found.length > 0
      )
    )

    return Effect.forever(Effect.zipRight(to.more, Effect.repeat(piece, { while: (more) => more })))
  }

  return { open, stage, run } as const
})

export type MessageDispatch = Effect.Effect.Success<typeof make>
