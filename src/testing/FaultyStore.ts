import { Context, Deferred, Effect, Layer } from "effect"
import type { SessionId } from "../domain/Session.ts"
import { StoreError } from "../domain/SessionError.ts"
import type { Batch } from "../store/Batch.ts"
import { EventStore } from "../store/EventStore.ts"

type Store = typeof EventStore.Service

/** One call of the store. `batches` of a commit; `sessions` of a call that names some. */
export interface Call {
  readonly step: keyof Store
  readonly sessions: ReadonlyArray<SessionId>
  readonly batches: ReadonlyArray<Batch>
}

/** What becomes of a call. */
export interface Fault {
  readonly on: <A>(call: Effect.Effect<A, StoreError>) => Effect.Effect<A, StoreError>
}

/** The store refuses, and nothing was done. */
export const fails = (reason: StoreError["reason"]): Fault => ({
  on: () => Effect.fail(new StoreError({ reason, cause: "FaultyStore" }))
})

/** A defect instead of the call. */
export const dies = (defect: unknown): Fault => ({ on: () => Effect.die(defect) })

/** A defect after the call was done: its outcome is unknown to the caller. */
export const diesAfter = (defect: unknown): Fault => ({ on: (call) => Effect.zipRight(call, Effect.die(defect)) })

export interface Hold extends Fault {
  /** Done when a call arrived. */
  readonly reached: Effect.Effect<void>
  /** Lets it go on. */
  readonly release: Effect.Effect<void>
}

const hold = (arrange: (waits: Effect.Effect<void>) => Fault): Effect.Effect<Hold> =>
  Effect.map(Effect.all([Deferred.make<void>(), Deferred.make<void>()]), ([reached, released]) => ({
    ...arrange(Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(released))),
    reached: Deferred.await(reached),
    release: Effect.asVoid(Deferred.succeed(released, undefined))
  }))

/** The call waits before anything is done. */
export const holds: Effect.Effect<Hold> = hold((waits) => ({ on: (call) => Effect.zipRight(waits, call) }))

/** The call is done, and its answer, which grows old meanwhile, waits. */
export const holdsAnswer: Effect.Effect<Hold> = hold((waits) => ({ on: (call) => Effect.zipLeft(call, waits) }))

interface Injected {
  readonly step: keyof Store
  readonly fault: Fault
  readonly when: (call: Call) => boolean
  left: number
}

/** Tells the store of the same layer when to misbehave. Faults of a step apply one per call, in the order of injection. */
export class FaultyStore extends Context.Tag("sluice/testing/FaultyStore")<
  FaultyStore,
  {
    /** The next call of `step` meets `fault`; or the next `times` calls, or the next ones that are such a `when`. */
    readonly next: (
      step: keyof Store,
      fault: Fault,
      options?: { readonly times?: number; readonly when?: (call: Call) => boolean }
    ) => void
    /** Forgets every fault that was not met. */
    readonly heal: () => void
    /** Every call so far, in order. */
    readonly calls: (step: keyof Store) => ReadonlyArray<Call>
  }
>() {}

const make = (store: Store) => {
  let faults: Array<Injected> = []
  const calls: Array<Call> = []

  const meet = <A>(call: Call, effect: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => {
      calls.push(call)
      const met = faults.find(({ left, step, when }) => left > 0 && step === call.step && when(call))
      if (met === undefined) return effect
      met.left -= 1
      faults = faults.filter(({ left }) => left > 0)
      return met.fault.on(effect)
    })

  const of = (step: keyof Store, ...sessions: ReadonlyArray<SessionId>): Call => ({ step, sessions, batches: [] })

  const faulty = EventStore.of({
    commit: (batches) =>
      meet({ step: "commit", batches, sessions: batches.map(({ session }) => session) }, store.commit(batches)),
    load: (session) => meet(of("load", session), store.load(session)),
    list: (query) => meet(of("list"), store.list(query)),
    readPage: (session, after, limit) => meet(of("readPage", session), store.readPage(session, after, limit)),
    readEvents: (session, range) => meet(of("readEvents", session), store.readEvents(session, range)),
    receipt: (session, key) => meet(of("receipt", session), store.receipt(session, key)),
    message: (session, id) => meet(of("message", session), store.message(session, id)),
    openMessages: (session, limit) => meet(of("openMessages", session), store.openMessages(session, limit)),
    backlog: (session) => meet(of("backlog", session), store.backlog(session)),
    withOpenMessages: (query) => meet(of("withOpenMessages"), store.withOpenMessages(query)),
    stage: (session, epoch, messages) => meet(of("stage", session), store.stage(session, epoch, messages)),
    remove: (session) => meet(of("remove", session), store.remove(session)),
    trim: (session, oldest) => meet(of("trim", session), store.trim(session, oldest)),
    expired: (cutoff) => meet(of("expired"), store.expired(cutoff)),
    sweep: (cutoff) => meet(of("sweep"), store.sweep(cutoff)),
    oldest: meet(of("oldest"), store.oldest),
    check: meet(of("check"), store.check)
  })

  const control = FaultyStore.of({
    next: (step, fault, { times = 1, when = () => true } = {}) => {
      faults.push({ step, fault, when, left: times })
    },
    heal: () => {
      faults = []
    },
    calls: (step) => calls.filter((call) => call.step === step)
  })

  return Context.make(EventStore, faulty).pipe(Context.add(FaultyStore, control))
}

/** Puts itself before another store, where faults are injected at the port. */
export const layer: Layer.Layer<EventStore | FaultyStore, never, EventStore> = Layer.effectContext(
  Effect.map(EventStore, make)
)
