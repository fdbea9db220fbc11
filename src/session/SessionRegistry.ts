import { Cause, Context, Duration, Effect, Either, Exit, FiberSet, Layer, Option, Schedule } from "effect"
import type { Event } from "../domain/Event.ts"
import type { SessionId, SessionState, SessionSummary } from "../domain/Session.ts"
import {
  type AppendError,
  Overloaded,
  SessionInterrupted,
  SessionNotFound,
  type StoreError
} from "../domain/SessionError.ts"
import * as Frame from "../protocol/Frame.ts"
import { type EventRange, EventStore, type Page, type SessionRecord } from "../store/EventStore.ts"
import * as Frames from "../store/Frames.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import * as Epoch from "./Epoch.ts"
import * as Idempotency from "./Idempotency.ts"
import * as PageCache from "./PageCache.ts"
import * as Retention from "./Retention.ts"
import { type Append, type Appended, type Options as ActorOptions, SessionActor } from "./SessionActor.ts"
import { supervise } from "./Supervision.ts"

export interface Options extends ActorOptions {
  /** An actor without watcher and traffic for at least so long goes to sleep. */
  readonly idle: Duration.Duration
  /** Bytes of log pages kept for watchers that read the same ones. */
  readonly pageCacheBytes: number
  /** Events older than this go; `undefined` = kept. */
  readonly retainFor: Duration.Duration | undefined
}

export const defaults: Options = {
  maxAppends: 1024,
  maxBytes: 8 * 1024 * 1024,
  retainEvents: undefined,
  retainFor: undefined,
  idle: Duration.minutes(1),
  pageCacheBytes: 16 * 1024 * 1024
}

/** Finds, starts, supervises and puts to sleep the session actors. */
export class SessionRegistry extends Context.Tag("sluice/session/SessionRegistry")<
  SessionRegistry,
  {
    /** The live actor, without waiting. To watch it, do so in the same synchronous step: an idle one may sleep later. */
    readonly find: (session: SessionId) => SessionActor | undefined
    /** The actor, started when it sleeps. A session that the store does not know has one too, and waits. */
    readonly start: (session: SessionId) => Effect.Effect<SessionActor, StoreError>
    /** Appends without a fiber when the actor is live. `done` hears of the commit, or of the refusal. */
    readonly unsafeAppend: (session: SessionId, append: Append) => void
    readonly append: (session: SessionId, append: Omit<Append, "done">) => Effect.Effect<Appended, AppendError>
    /** The frames after `after`; see `EventStore.readPage`. */
    readonly readPage: (
      actor: SessionActor,
      after: number,
      limit: number
    ) => Effect.Effect<Option.Option<Page>, StoreError>
    readonly history: (
      session: SessionId,
      range: EventRange
    ) => Effect.Effect<
      { readonly record: SessionRecord; readonly events: ReadonlyArray<Event> },
      StoreError | SessionNotFound
    >
    readonly get: (session: SessionId) => Effect.Effect<SessionSummary, StoreError | SessionNotFound>
    readonly list: (query: {
      readonly state?: SessionState | undefined
      readonly after?: string | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<SessionSummary>, StoreError>
    /** Deletes the log; its watchers are told. The next append begins another one. */
    readonly remove: (session: SessionId) => Effect.Effect<void, AppendError | SessionNotFound>
    /** The live actors, for tests and metrics. */
    readonly size: () => number
  }
>() {}

/** What a commit has stored but not reported yet is nobody's to read. */
const upTo = (page: Page, head: number): Option.Option<Page> => {
  if (page.last <= head) return Option.some(page)
  if (page.first > head) return Option.none()
  const bytes = Frames.bytes(page.frames)
  const end = Frame.offsetAfter(bytes, head - page.first + 1)
  return Option.some({ first: page.first, last: head, frames: Frames.concat([bytes.subarray(0, end)]) })
}

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const writer = yield* StoreWriter
    const clock = yield* Effect.clock
    const idempotency = yield* Idempotency.make
    const cache = PageCache.make(options.pageCacheBytes)
    const actors = new Map<SessionId, SessionActor>()
    const retention = yield* Retention.make({ retainFor: options.retainFor, find: (session) => actors.get(session) })
    const fork = yield* FiberSet.makeRuntime<never>()

    const life = (actor: SessionActor) =>
      supervise(actor, {
        reload: Effect.zipWith(store.load(actor.session), Epoch.make, (record, epoch) =>
          actor.restart(Option.getOrUndefined(record), epoch)
        ),
        giveUp: () => {
          actors.delete(actor.session)
          actor.stop("failed")
        },
        trimmable: () => retention.add(actor)
      })

    const start = (session: SessionId): Effect.Effect<SessionActor, StoreError> =>
      Effect.suspend(() => {
        const live = actors.get(session)
        if (live) return Effect.succeed(live)
        return Effect.zipWith(store.load(session), Epoch.make, (record, epoch) => {
          const first = actors.get(session) // another start may have been faster
          if (first) return first
          const begin = { record: Option.getOrUndefined(record), epoch, now: () => clock.unsafeCurrentTimeMillis() }
          const actor = new SessionActor(session, begin, writer, options)
          actors.set(session, actor)
          fibers.set(actor, fork(life(actor)))
          if (actor.oldest > (begin.record?.oldest ?? 1)) retention.add(actor)
          return actor
        })
      })
    const fibers = new WeakMap<SessionActor, ReturnType<typeof fork>>()

    /** Appends that wait for an actor that starts, in the order in which they came. */
    const waiting = new Map<SessionId, Array<Append>>()

    // Interrupted with the registry: nothing was stored, and each producer hears that it does not know.
    const startFor = (session: SessionId, appends: ReadonlyArray<Append>) =>
      Effect.onExit(start(session), (exit) =>
        Effect.sync(() => {
          waiting.delete(session)
          for (const append of appends) {
            if (Exit.isSuccess(exit)) exit.value.append(append)
            else
              append.done(
                Either.left(
                  Option.getOrElse(Cause.failureOption(exit.cause), () => new SessionInterrupted({ session }))
                )
              )
          }
        })
      )

    const unsafeAppend = (session: SessionId, append: Append): void => {
      const actor = actors.get(session)
      const others = waiting.get(session)
      if (others !== undefined) {
        if (others.length < options.maxAppends) others.push(append)
        else append.done(Either.left(new Overloaded({ what: "session mailbox" })))
      } else if (actor !== undefined) {
        actor.append(append)
      } else {
        const appends = [append]
        waiting.set(session, appends)
        fork(Effect.exit(startFor(session, appends)))
      }
    }

    const appendOnce = (session: SessionId, append: Omit<Append, "done">): Effect.Effect<Appended, AppendError> =>
      Effect.async((resume) => unsafeAppend(session, { ...append, done: resume }))

    const sleepers = Effect.sync(() => {
      const before = clock.unsafeCurrentTimeMillis() - Duration.toMillis(options.idle)
      for (const [session, actor] of actors) {
        if (actor.isBusy || actor.activeAt > before) continue
        actors.delete(session)
        fibers.get(actor)?.unsafeInterruptAsFork(fiberId)
      }
    })
    const fiberId = yield* Effect.fiberId
    yield* Effect.forkScoped(Effect.schedule(sleepers, Schedule.spaced(options.idle)))

    const summary = (record: SessionRecord): SessionSummary => {
      const actor = actors.get(record.session)
      const kept = options.retainEvents === undefined ? 1 : record.head - options.retainEvents + 1
      return {
        session: record.session,
        epoch: record.epoch,
        state: record.state,
        oldest: Math.max(record.oldest, actor?.oldest ?? 1, kept),
        head: record.head,
        watchers: actor?.watchers.size ?? 0,
        createdAt: new Date(record.createdAt).toISOString(),
        updatedAt: new Date(record.updatedAt).toISOString()
      }
    }

    const load = (session: SessionId): Effect.Effect<SessionRecord, StoreError | SessionNotFound> =>
      Effect.flatMap(
        store.load(session),
        Option.match({
          onNone: () => Effect.fail(new SessionNotFound({ session })),
          onSome: (record) => Effect.succeed({ ...record, oldest: summary(record).oldest })
        })
      )

    return SessionRegistry.of({
      find: (session) => actors.get(session),
      start,
      unsafeAppend,
      append: (session, append) =>
        append.receipt === undefined
          ? appendOnce(session, append)
          : idempotency.once(
              session,
              Effect.map(start(session), (actor) => actor.epoch),
              append.receipt,
              appendOnce(session, append)
            ),
      readPage: (actor, after, limit) =>
        Effect.suspend(() => {
          const from = Math.max(after, actor.oldest - 1)
          const key = `${actor.session} ${actor.epoch} ${from} ${limit}`
          const cached = cache.get(key)
          // A page that ended at a former head is short for ever: read again what has grown since.
          if (cached && (cached.last >= actor.head || cached.last - cached.first + 1 >= limit)) {
            return Effect.succeed(upTo(cached, actor.head))
          }
          const { epoch } = actor
          return Effect.map(store.readPage(actor.session, from, limit), (page) => {
            if (Option.isNone(page)) return page
            cache.set(key, page.value)
            return actor.epoch === epoch ? upTo(page.value, actor.head) : Option.none()
          })
        }),
      history: (session, range) =>
        Effect.flatMap(load(session), (record) =>
          Effect.map(
            store.readEvents(session, { ...range, after: Math.max(range.after, record.oldest - 1) }),
            (events) => ({ record, events })
          )
        ),
      get: (session) => Effect.map(load(session), summary),
      list: (query) => Effect.map(store.list(query), (records) => records.map(summary)),
      remove: (session) =>
        writer
          .run(
            Effect.zipWith(store.remove(session), Epoch.make, (known, epoch) => {
              const actor = actors.get(session)
              if (known && actor) {
                actor.stop("deleted")
                actor.restart(undefined, epoch)
              }
              return known
            })
          )
          .pipe(Effect.flatMap((known) => (known ? Effect.void : Effect.fail(new SessionNotFound({ session }))))),
      size: () => actors.size
    })
  })

export const layer = (options: Options = defaults): Layer.Layer<SessionRegistry, never, EventStore | StoreWriter> =>
  Layer.scoped(SessionRegistry, make(options))
