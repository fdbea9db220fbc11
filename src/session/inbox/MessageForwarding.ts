import { type Cause, Effect, FiberMap, Layer } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import type { StoreError } from "../../domain/SessionError.ts"
import * as SessionEvent from "../../protocol/SessionEvent.ts"
import { EventStore } from "../../store/EventStore.ts"
import type { StoredMessage } from "../../store/Message.ts"
import { StoreWriter } from "../../store/StoreWriter.ts"
import { problemOf } from "../Deadline.ts"
import * as Decisions from "../Decisions.ts"
import * as Messages from "./Messages.ts"
import { SessionRegistry } from "../SessionRegistry.ts"
import { untilHealed } from "../Temporary.ts"

/** Sessions looked up, at the start, at once. */
const pieceOfSessions = 100
/** Messages of one session read at once. */
const pieceOfMessages = 50

/** What the store refuses is asked for again. */
const pause = "1 second"

/**
 * Messages go to whatever `deliver` reaches, in the order of each session, at least once: what a crash leaves is delivered by
 * the next server. `deliver` tries for as long as it sees sense; what it fails with is told in the log, and the next
 * message goes. A fiber per session that has messages.
 */
export const layer = (
  deliver: (session: SessionId, message: StoredMessage) => Effect.Effect<void, unknown>
): Layer.Layer<Messages.Messages, never, SessionRegistry | EventStore | StoreWriter> =>
  Layer.scoped(
    Messages.Messages,
    Effect.gen(function* () {
      const store = yield* EventStore
      const sessions = yield* SessionRegistry
      const writer = yield* StoreWriter
      // Interrupted with the scope: what is not done stays in the store, for the next start.
      const fork = yield* FiberMap.makeRuntime<never, SessionId, void>()
      /** Those that have a fiber; true: it looks once more before it ends. */
      const forwarding = new Map<SessionId, boolean>()

      /** Done when it is delivered, or given up, which the log tells in the same step; a log that has ended is told nothing. */
      const one = (session: SessionId, epoch: string, message: StoredMessage) => {
        const done = writer.run(Effect.suspend(() => store.stage(session, epoch, [{ id: message.id, stage: "done" }])))
        const failed = (cause: Cause.Cause<unknown>) => {
          const told = [SessionEvent.process({ event: "message_failed", id: message.id, problem: problemOf(cause) })]
          return Effect.catchTag(
            sessions.decide(session, Decisions.say(epoch, told, [message.id]), told),
            "SessionEnded",
            () => done
          )
        }
        return Effect.matchCauseEffect(
          Effect.suspend(() => deliver(session, message)),
          {
            onFailure: (cause) => untilHealed(failed(cause), pause),
            onSuccess: () => untilHealed(done, pause)
          }
        )
      }

      const piece = (session: SessionId) =>
        Effect.gen(function* () {
          const { epoch } = yield* untilHealed(sessions.start(session), pause)
          const open = yield* untilHealed(store.openMessages(session, pieceOfMessages), pause)
          for (const message of open) yield* one(session, epoch, message)
          return open.length > 0
        })

      const forward = (session: SessionId): Effect.Effect<void, unknown> =>
        Effect.zipRight(
          Effect.repeat(piece(session), { while: (more) => more }),
          Effect.suspend(() => {
            if (forwarding.get(session) === false) return Effect.sync(() => void forwarding.delete(session))
            forwarding.set(session, false)
            return forward(session)
          })
        )

      const failed = (session: SessionId) => (cause: Cause.Cause<unknown>) => {
        forwarding.delete(session)
        return Effect.annotateLogs(Effect.logError("messages are not forwarded", cause), { session })
      }

      const begin = (session: SessionId): void => {
        const isRunning = forwarding.has(session)
        forwarding.set(session, isRunning)
        if (!isRunning) fork(session, Effect.catchAllCause(forward(session), failed(session)))
      }

      const resume = (after?: SessionId): Effect.Effect<void, StoreError> =>
        Effect.gen(function* () {
          const found = yield* store.withOpenMessages({ after, limit: pieceOfSessions })
          for (const session of found) begin(session)
          if (found.length === pieceOfSessions) yield* resume(found[found.length - 1])
        })
      yield* Effect.forkScoped(untilHealed(resume(), pause))

      return yield* Messages.make(begin)
    })
  )
