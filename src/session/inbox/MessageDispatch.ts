import { Effect, Either, Exit } from "effect"
import * as Json from "../../domain/Json.ts"
import type { SessionId } from "../../domain/Session.ts"
import type { Message } from "../../process/Process.ts"
import type * as SessionEvent from "../../protocol/SessionEvent.ts"
import { EventStore } from "../../store/EventStore.ts"
import type { Stage, StoredMessage } from "../../store/Message.ts"
import { StoreWriter } from "../../store/StoreWriter.ts"
import { problemOf } from "../Deadline.ts"
import { untilHealed } from "../Temporary.ts"

/** Messages of one session that are not done, and the bytes of their data (design §4: every queue has a bound). */
export const maxOpen = 1000
export const maxOpenBytes = 8 * 1024 * 1024

/** Read from the store at once. */
const pieceOfOpen = 50
/** What the store refuses is asked for again. */
const pause = "1 second"

export interface Receiver {
  /** Waits until there may be more. */
  readonly more: Effect.Effect<void>
  /** Waits while none may be sent. */
  readonly allowed: Effect.Effect<void>
  readonly send: (message: Message) => Effect.Effect<void, unknown>
  /** Tells that the receiver did not take it, which settles it. */
  readonly failed: (body: SessionEvent.Process, id: string) => Effect.Effect<void>
}

export const make = Effect.gen(function* () {
  const store = yield* EventStore
  const writer = yield* StoreWriter

  const stage = (session: SessionId, epoch: string, { id }: StoredMessage, to: Stage) =>
    untilHealed(writer.run(Effect.suspend(() => store.stage(session, epoch, [{ id, stage: to }]))), pause)

  /**
   * Hands the messages of a log over, one after the other, in the order of their events; each is marked before, so that a
   * crash cannot make it arrive twice. It ends by interruption alone, or when the store is beyond help: a message under way
   * then stays `begun`. What is sent is left alone then, whatever it does.
   */
  const run = (session: SessionId, epoch: string, to: Receiver) => {
    const dispatch = (stored: StoredMessage) =>
      Effect.gen(function* () {
        yield* stage(session, epoch, stored, "begun")
        const { from, id } = stored
        const data = Either.getOrNull(Json.parse(stored.data)) // it was JSON when it was accepted
        const exit = yield* Effect.exit(Effect.disconnect(Effect.suspend(() => to.send({ id, data, from }))))
        if (Exit.isSuccess(exit)) yield* stage(session, epoch, stored, "done")
        else yield* to.failed({ event: "message_failed", id, problem: problemOf(exit.cause) }, id)
      })

    const piece = Effect.gen(function* () {
      const open = yield* untilHealed(store.openMessages(session, pieceOfOpen), pause)
      const waiting = open.filter((message) => message.stage === "waiting")
      for (const message of waiting) yield* Effect.zipRight(to.allowed, dispatch(message))
      return waiting.length > 0
    })

    return Effect.forever(Effect.zipRight(to.more, Effect.repeat(piece, { while: (more) => more })))
  }

  return { run } as const
})

export type MessageDispatch = Effect.Effect.Success<typeof make>
