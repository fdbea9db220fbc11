import { Chunk, Effect, Option, Stream } from "effect"
import type { Event } from "../domain/Event.ts"
import * as ReplayPlan from "../domain/ReplayPlan.ts"
import type { SessionId } from "../domain/Session.ts"
import { StoreError } from "../domain/SessionError.ts"
import type { SessionActor } from "./SessionActor.ts"
import { SessionRegistry } from "./SessionRegistry.ts"
import type { Watcher } from "./Watcher.ts"

/** An event of the log that has this epoch, or a hole that retention, or another log, has made. */
export type Told =
  | { readonly _tag: "Event"; readonly epoch: string; readonly event: Event }
  | { readonly _tag: "Gap"; readonly gap: ReplayPlan.Gap }

/** Leaves gaps out. */
export const event = (told: Told): Option.Option<Event> =>
  told._tag === "Event" ? Option.some(told.event) : Option.none()

/** Of a read; the store's own bound in bytes holds as well. */
const pageSize = 500

const nothing = (): void => {}

/** Found and watched in one step, since an idle actor may sleep in between. */
const watched = (
  sessions: SessionRegistry["Type"],
  session: SessionId,
  watcher: Watcher
): Effect.Effect<SessionActor, StoreError> =>
  Effect.suspend(() => {
    const actor = sessions.find(session)
    if (actor === undefined) return Effect.zipRight(sessions.start(session), watched(sessions, session, watcher))
    actor.watch(watcher)
    return Effect.succeed(actor)
  })

/**
 * A session's log in this process: what there is behind `from`, then whatever is committed, in order, without holes but those that
 * are told. It reads the log at the consumer's pace and holds one page: a slow one costs nobody anything. It ends behind the last event
 * when the session ends, and at once when it is deleted, whatever has taken its name meanwhile; of a session that does not exist yet
 * it waits for the first event. Fails when the store does, or the actor is given up: begin again behind the last event.
 */
export const make = (session: SessionId, from: ReplayPlan.Position): Stream.Stream<Told, StoreError, SessionRegistry> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const sessions = yield* SessionRegistry
      const moved = yield* Effect.makeLatch(false)
      let seq = 0
      let epoch: string | undefined
      let over: "ended" | "deleted" | "failed" | undefined

      const rouse = () => void moved.unsafeOpen()
      const watcher: Watcher = {
        offer: rouse,
        resync: rouse,
        sync: (isLookedAfter) => {
          if (isLookedAfter) rouse()
          return seq < actor.head
        },
        ended: (reason) => {
          over = reason
          rouse()
        },
        died: nothing
      }
      const actor = yield* Effect.acquireRelease(watched(sessions, session, watcher), (actor) =>
        Effect.sync(() => actor.unwatch(watcher))
      )
      const plan = ReplayPlan.make(actor.log, from, Number.POSITIVE_INFINITY)
      seq = plan.after
      epoch = actor.log.epoch
      if (actor.state === "ENDED") over = "ended"

      const page = Effect.suspend(() =>
        sessions.history(session, { after: seq, before: Number.MAX_SAFE_INTEGER, limit: pageSize, order: "asc" })
      )
      const read = Effect.map(
        Effect.catchTag(page, "SessionNotFound", () => Effect.void),
        (found): ReadonlyArray<Told> => {
          const [first] = found?.events ?? []
          if (found === undefined || first === undefined) return []
          // Deleted and made anew while it was read.
          if (epoch !== undefined && found.record.epoch !== epoch) return []
          const known = found.record.epoch
          epoch = known
          const missed = first.seq - seq - 1
          const gap = { after: seq, next: first.seq, missed, reason: "retention" } as const
          seq = found.events[found.events.length - 1]?.seq ?? seq
          const events = found.events.map((event): Told => ({ _tag: "Event", epoch: known, event }))
          return missed > 0 ? [{ _tag: "Gap", gap }, ...events] : events
        }
      )

      /** What was committed before the end is read first; a log that is gone is not. */
      const next: Effect.Effect<Chunk.Chunk<Told>, Option.Option<StoreError>> = Effect.suspend(() => {
        const before = over
        if (before === "deleted") return Effect.fail(Option.none())
        if (before === "failed") {
          return Effect.fail(Option.some(new StoreError({ reason: "Unavailable", cause: "the session's actor died" })))
        }
        moved.unsafeClose()
        return Effect.flatMap(Effect.mapError(read, Option.some), (told) => {
          if (told.length > 0) return Effect.succeed(Chunk.fromIterable(told))
          return before === "ended" ? Effect.fail(Option.none()) : Effect.zipRight(moved.await, next)
        })
      })

      const opening: ReadonlyArray<Told> = plan.gap === undefined ? [] : [{ _tag: "Gap", gap: plan.gap }]
      return Stream.concat(Stream.fromIterable(opening), Stream.repeatEffectChunkOption(next))
    })
  )
