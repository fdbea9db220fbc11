import { Context, Duration, Effect, FiberSet, Layer, Option } from "effect"
import type { Event, NewEvent } from "../domain/Event.ts"
import * as NewEvents from "../domain/Event.ts"
import type { SessionId, SessionState, SessionSummary } from "../domain/Session.ts"
import { isLegal } from "../domain/Lifecycle.ts"
import {
  type AppendError,
  type InvalidRequest,
  SessionInterrupted,
  SessionNotFound,
  type StoreError
} from "../domain/SessionError.ts"
import { type EventRange, EventStore, type SessionRecord } from "../store/EventStore.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import type { Append, Appended, Decide } from "./Append.ts"
import * as Conclusion from "./Conclusion.ts"
import * as Decisions from "./Decisions.ts"
import * as Epoch from "./Epoch.ts"
import * as Idempotency from "./Idempotency.ts"
import * as LogReader from "./LogReader.ts"
import * as PeriodicSync from "./PeriodicSync.ts"
import * as Retention from "./Retention.ts"
import { type Options as ActorOptions, SessionActor } from "./SessionActor.ts"
import * as Sleepers from "./Sleepers.ts"
import * as Starting from "./Starting.ts"
import { supervise } from "./Supervision.ts"
import * as Suspension from "./Suspension.ts"

export interface Options extends ActorOptions {
  /** An actor without watcher and traffic for at least so long goes to sleep. */
  readonly idle: Duration.Duration
  /** Bytes of log pages kept for watchers that read the same ones. */
  readonly pageCacheBytes: number
  /** Events older than this go; `undefined` = kept. */
  readonly retainFor: Duration.Duration | undefined
  /** A session that is suspended for so long is detached. */
  readonly grace: Duration.Duration
  /** Messages wait for a process, and nobody takes them once their session has ended. False: they go elsewhere. */
  readonly messagesWait: boolean
  /** Between two ticks of the periodic sync. */
  readonly syncInterval: Duration.Duration
}

export const defaults: Options = {
  maxAppends: 1024,
  maxBytes: 8 * 1024 * 1024,
  retainEvents: undefined,
  retainFor: undefined,
  idle: Duration.minutes(1),
  pageCacheBytes: 16 * 1024 * 1024,
  grace: Duration.seconds(120),
  syncInterval: Duration.seconds(5),
  messagesWait: true
}

/** Finds, starts, supervises and puts to sleep the session actors. */
export class SessionRegistry extends Context.Tag("sluice/session/SessionRegistry")<
  SessionRegistry,
  {
    /** The live actor, without waiting. To watch it, do so in the same synchronous step: an idle one may sleep later. */
    readonly find: (session: SessionId) => SessionActor | undefined
    /** The actor, started when it sleeps. A session that the store does not know has one too, and waits. */
    readonly start: (session: SessionId) => Effect.Effect<SessionActor, StoreError>
    /** Appends valid events without a fiber when the actor is live. `done` hears of the commit, or of the refusal. */
    readonly unsafeAppend: (session: SessionId, append: Append) => void
    /** `InvalidRequest`: of no events or too many, or of a name that cannot be published. */
    readonly append: (
      session: SessionId,
      append: Omit<Append, "done">
    ) => Effect.Effect<Appended, AppendError | InvalidRequest>
    /** Appends what `decide` says in the turn of the commit; `weight` are events of its size, for the bounds of queues. */
    readonly decide: (
      session: SessionId,
      decide: Decide,
      weight?: ReadonlyArray<NewEvent>
    ) => Effect.Effect<Appended, AppendError>
    /** Moves a session that exists into another state, with its event; into its present one: nothing happens. */
    readonly move: (
      session: SessionId,
      state: SessionState,
      reason?: string
    ) => Effect.Effect<SessionSummary, AppendError>
    /** Appends what ends a session, or lets go of its process, with what becomes of its messages. */
    readonly conclude: (session: SessionId, conclusion: Conclusion.Conclusion) => Effect.Effect<Appended, AppendError>
    /** See `Options`. */
    readonly messagesWait: boolean
    readonly readPage: LogReader.LogReader["read"]
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

const none: ReadonlyArray<NewEvent> = []

/** A process that is ended with its session has its own deadlines; the store may take its time too. */
const patienceWithEnd = Duration.seconds(15)

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    const writer = yield* StoreWriter
    const clock = yield* Effect.clock
    const idempotency = yield* Idempotency.make
    const reader = yield* LogReader.make(options.pageCacheBytes)
    const starting = Starting.make(writer, options)
    const actors = new Map<SessionId, SessionActor>()
    const retention = yield* Retention.make({ ...options, find: (session) => actors.get(session) })
    const fork = yield* FiberSet.makeRuntime<never>()

    let removals = 0
    /** Not of a log that was deleted while the store answered: nobody could append to it. */
    const present = (session: SessionId): Effect.Effect<Option.Option<SessionRecord>, StoreError> =>
      Effect.suspend(() => {
        const before = removals
        return Effect.flatMap(store.load(session), (record) =>
          before === removals ? Effect.succeed(record) : present(session)
        )
      })

    const life = (actor: SessionActor) =>
      supervise(actor, {
        // What it died in may have been stored, and nobody was told.
        reload: Effect.zipWith(present(actor.session), Epoch.make, (record, epoch) => {
          actor.restart(Option.getOrUndefined(record), epoch)
          retention.stored(clock.unsafeCurrentTimeMillis())
        }),
        giveUp: () => {
          actors.delete(actor.session)
          actor.stop("failed")
        },
        trimmable: () => retention.add(actor),
        advanced: () => sync.advanced(actor),
        moved: () => suspension.moved(actor),
        stored: retention.stored,
        rested: () => sleepers.rested(actor)
      })

    const start = (session: SessionId): Effect.Effect<SessionActor, StoreError> =>
      Effect.suspend(() => {
        const live = actors.get(session)
        if (live) return Effect.succeed(live)
        return Effect.zipWith(present(session), Epoch.make, (record, epoch) => {
          const first = actors.get(session) // another start may have been faster
          if (first) return first
          const begin = { record: Option.getOrUndefined(record), epoch, now: () => clock.unsafeCurrentTimeMillis() }
          const actor = new SessionActor(session, begin, writer, options)
          actors.set(session, actor)
          fibers.set(actor, fork(life(actor)))
          if (actor.oldest > (begin.record?.oldest ?? 1)) retention.add(actor)
          sleepers.rested(actor)
          return actor
        })
      })
    const fibers = new WeakMap<SessionActor, ReturnType<typeof fork>>()

    const unsafeAppend = (session: SessionId, append: Append): void => {
      const actor = starting.isWaiting(session) ? undefined : actors.get(session)
      if (actor !== undefined) actor.append(append)
      else if (starting.add(session, append)) fork(starting.settle(session, start(session)))
    }

    const appendOnce = (session: SessionId, append: Omit<Append, "done">): Effect.Effect<Appended, AppendError> =>
      Effect.async((resume) => unsafeAppend(session, { ...append, done: resume }))

    const decide = (session: SessionId, decide: Decide, weight: ReadonlyArray<NewEvent> = none) =>
      appendOnce(session, { events: weight, decide })

    const conclude = yield* Conclusion.make({ ...options, start, append: appendOnce })

    /** A process that is at work ends first, and tells how: nothing can follow the end of a log. */
    const end = (session: SessionId, reason: string | undefined): Effect.Effect<unknown, AppendError> =>
      Effect.suspend((): Effect.Effect<unknown, AppendError> => {
        const actor = actors.get(session)
        if (actor?.worker === undefined || !isLegal(actor.state, "ENDED")) {
          return conclude(session, {
            losesWaiting: true,
            why: "the session was ended",
            decide: (told, settled) => Decisions.move("ENDED", reason, told, settled)
          })
        }
        return Effect.timeoutFail(actor.worker.end(reason ?? "ended"), {
          duration: patienceWithEnd,
          onTimeout: () => new SessionInterrupted({ session })
        })
      })

    const sync = yield* PeriodicSync.make(options.syncInterval)
    const suspension = yield* Suspension.make({ grace: options.grace, decide })

    const fiberId = yield* Effect.fiberId
    const sleepers = yield* Sleepers.make({
      idle: options.idle,
      actors: { [Symbol.iterator]: () => actors.values() },
      sleep: (actor) => {
        actors.delete(actor.session)
        fibers.get(actor)?.unsafeInterruptAsFork(fiberId)
      }
    })

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
      append: (session, append) => {
        const problem = NewEvents.problem(append.events)
        if (problem !== undefined) return Effect.fail(problem)
        if (append.receipt === undefined) return appendOnce(session, append)
        const epoch = Effect.map(start(session), (actor) => actor.epoch)
        return idempotency.once(session, epoch, append.receipt, appendOnce(session, append))
      },
      decide,
      // Asked for first, so that an id that nobody knows costs no actor.
      move: (session, state, reason) =>
        load(session).pipe(
          Effect.zipRight(state === "ENDED" ? end(session, reason) : decide(session, Decisions.move(state, reason))),
          Effect.zipRight(Effect.map(load(session), summary))
        ),
      conclude,
      messagesWait: options.messagesWait,
      readPage: reader.read,
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
              if (known) removals += 1
              if (known && actor) {
                actor.stop("deleted")
                actor.restart(undefined, epoch)
              }
              if (known) suspension.forget(session)
              if (known) retention.soon()
              return known
            })
          )
          .pipe(Effect.flatMap((known) => (known ? Effect.void : Effect.fail(new SessionNotFound({ session }))))),
      size: () => actors.size
    })
  })

export const layer = (options: Options = defaults): Layer.Layer<SessionRegistry, never, EventStore | StoreWriter> =>
  Layer.scoped(SessionRegistry, make(options))
