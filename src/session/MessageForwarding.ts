import { type Cause, Effect, FiberMap, Layer, Schedule } from "effect"
import type { SessionId } from "../domain/Session.ts"
import type { StoreError } from "../domain/SessionError.ts"
import * as SessionEvent from "../protocol/SessionEvent.ts"
import { EventStore } from "../store/EventStore.ts"
import type { StoredMessage } from "../store/Message.ts"
import type { StoreWriter } from "../store/StoreWriter.ts"
import { problemOf } from "./Deadline.ts"
import * as Decisions from "./Decisions.ts"
import * as MessageDispatch from "./MessageDispatch.ts"
import * as Messages from "./Messages.ts"
import { SessionRegistry } from "./SessionRegistry.ts"

/** Sessions looked up, at the start, at once. */
const pieceOfSessions = 100
/** Messages of one session read at once. */
const pieceOfMessages = 50

const patiently = <A, E>(effect: Effect.Effect<A, E>) => Effect.retry(effect, Schedule.spaced("1 second"))

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
      const dispatch = yield* MessageDispatch.make
      // Interrupted with the scope: what is not done stays in the store, for the next start.
      const fork = yield* FiberMap.makeRuntime<never, SessionId, void>()
      /** Those that have a fiber; true: it looks once more before it ends. */
      const forwarding = new Map<SessionId, boolean>()

      const tell = (session: SessionId, body: SessionEvent.Process) => {
        const event = SessionEvent.process(body)
        return Effect.ignore(patiently(sessions.decide(session, Decisions.say([event]), [event])))
      }

      const one = (session: SessionId, message: StoredMessage) =>
        Effect.suspend(() => deliver(session, message)).pipe(
          Effect.catchAllCause((cause) =>
            tell(session, { event: "message_failed", id: message.id, problem: problemOf(cause) })
          ),
          Effect.zipRight(patiently(dispatch.stage(session, [message], "done")))
        )

      const piece = (session: SessionId) =>
        Effect.flatMap(patiently(dispatch.open(session, pieceOfMessages)), (open) =>
          Effect.as(
            Effect.forEach(open, (message) => one(session, message), { discard: true }),
            open.length > 0
          )
        )

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
      yield* Effect.forkScoped(patiently(resume()))

      return yield* Messages.make(begin)
    })
  )
