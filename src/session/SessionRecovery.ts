import { Effect, Layer, Schedule } from "effect"
import type { SessionId } from "../domain/Session.ts"
import type { StoreError } from "../domain/SessionError.ts"
import * as ProcessGroup from "../process/ProcessGroup.ts"
import * as SessionEvent from "../protocol/SessionEvent.ts"
import { EventStore, type SessionRecord } from "../store/EventStore.ts"
import * as Decisions from "./Decisions.ts"
import * as ProcessRecord from "./worker/ProcessRecord.ts"
import { SessionRegistry } from "./SessionRegistry.ts"

/** Sessions moved on at once: they share a commit. */
const pieceSize = 100

/** What may heal is tried again for a moment; then the server does not start. */
const atStart = Schedule.intersect(Schedule.spaced("25 millis"), Schedule.recurUpTo("5 seconds"))

/**
 * After a crash every session that had a process is moved on, with its event, before new work is accepted (design §5): what
 * the process left behind is ended, and what it may have been told is told.
 */
const recover = Effect.gen(function* () {
  const store = yield* EventStore
  const sessions = yield* SessionRegistry

  const one = ({ process, session }: SessionRecord) =>
    Effect.gen(function* () {
      if (process === null) return
      const { group, isResumable } = ProcessRecord.decode(process)
      if (group !== undefined) yield* ProcessGroup.endOrphan(group)
      const crashed = SessionEvent.process({ event: "crashed", problem: "the server died while the process ran" })
      yield* sessions.conclude(session, {
        losesWaiting: !isResumable,
        why: "the server died before the process took it",
        decide: (told, settled) => Decisions.crashed(isResumable, [...told, crashed], settled)
      })
    })

  /** What only a session of its own can have is told, and the others are not kept from their recovery. */
  const recovered = (record: SessionRecord) =>
    Effect.retry(one(record), atStart).pipe(
      Effect.catchAll((error) =>
        error._tag === "StoreError"
          ? Effect.fail(error)
          : Effect.annotateLogs(Effect.logError("a session cannot be moved on after a crash", error), {
              session: record.session
            })
      )
    )

  const pieces = (after?: SessionId): Effect.Effect<void, StoreError> =>
    Effect.gen(function* () {
      const found = yield* store.list({ hasProcess: true, after, limit: pieceSize })
      yield* Effect.forEach(found, recovered, { concurrency: "unbounded", discard: true })
      if (found.length === pieceSize) yield* pieces(found[found.length - 1]?.session)
    })
  yield* pieces()
})

/** Fails when the store cannot tell, or take, how the sessions stand: what it would serve were a lie. */
export const layer: Layer.Layer<never, StoreError, EventStore | SessionRegistry> = Layer.effectDiscard(recover)
