import { Array, Context, Effect, Fiber, FiberSet, Layer, Metric, Queue, Schedule } from "effect"
import type { StoreError } from "../domain/SessionError.ts"
import { ConnectionJournal, type DeadLetter } from "../store/ConnectionJournal.ts"
import * as EventLoop from "../store/EventLoop.ts"
import { JournalWriter } from "../store/JournalWriter.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { Callbacks, DisconnectCall } from "./Callbacks.ts"
import * as DeadLetters from "./DeadLetters.ts"
import * as DisconnectDelivery from "./DisconnectDelivery.ts"

export interface Options {
  /** Disconnects under way at once, a fiber each. What is owed beyond that waits in the journal. */
  readonly maxDeliveries: number
}

export const defaults: Options = { maxDeliveries: 10_000 }

/** Deliveries begun before sockets, and other fibers, have a turn. */
const pieceOfLoad = 100

/** Tells the backend of every end, each in a fiber of its own, so that no end waits for another one (promise 7). */
export class DisconnectOutbox extends Context.Tag("sluice/callback/DisconnectOutbox")<
  DisconnectOutbox,
  {
    /**
     * Done when it is recorded; the delivery begins then. Once per connection: of a token that is under way the first
     * reason stands. Never fails: what the store refuses is delivered from memory, while the journal still has the connect.
     */
    readonly owe: (call: DisconnectCall) => Effect.Effect<void>
    /** Those that were given up: see `ConnectionJournal.dead`. */
    readonly deadLetters: (query: {
      readonly after?: string | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreError>
    /** Delivers a dead letter once more, from now on. False when there is no such one. */
    readonly retry: (token: string) => Effect.Effect<boolean, StoreError>
    /** Done when nothing is owed any more. */
    readonly drain: Effect.Effect<void>
    /** Disconnects under way. */
    readonly size: () => number
  }
>() {}

/** What may heal is tried again for a moment; then the server does not start. */
const atStart = {
  while: (error: StoreError) => error.reason !== "Corrupt",
  schedule: Schedule.intersect(Schedule.spaced("25 millis"), Schedule.recurUpTo("5 seconds"))
}

export const make = (options: Options = defaults) =>
  Effect.gen(function* () {
    const journal = yield* ConnectionJournal
    const writer = yield* JournalWriter
    const deliver = yield* DisconnectDelivery.make
    const deadLetters = yield* DeadLetters.make
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const oneRetry = yield* Effect.makeSemaphore(1)
    const idle = yield* Effect.makeLatch()
    const loads = yield* Effect.acquireRelease(Queue.dropping<void>(1), Queue.shutdown)
    // Interrupted with the scope: what was not delivered stays in the journal, for the next start.
    const fibers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(fibers)<never>()
    /** No fiber yet: its record is on its way. */
    const underWay = new Map<string, Fiber.RuntimeFiber<void> | undefined>()
    /** The journal may owe what is not under way. */
    let isMoreOwed = true
    /** While the journal is loaded: all that were under way since. What was read may name them, though they are delivered. */
    let seen: Set<string> | undefined

    const changed = () => {
      if (underWay.size === 0 && !isMoreOwed && seen === undefined) idle.unsafeOpen()
      else idle.unsafeClose()
      if (isMoreOwed && seen === undefined && underWay.size < options.maxDeliveries / 2) loads.unsafeOffer(undefined)
    }

    const later = () => {
      isMoreOwed = true
      changed()
    }

    const hasRoom = () => underWay.size < options.maxDeliveries

    const claim = (token: string) => {
      seen?.add(token)
      underWay.set(token, undefined)
      changed()
    }

    const release = (token: string) => {
      underWay.delete(token)
      changed()
    }

    const begin = (call: DisconnectCall) => {
      if (underWay.get(call.token) !== undefined) return
      claim(call.token)
      const fiber = fork(deliver(call))
      underWay.set(call.token, fiber)
      fiber.addObserver(() => release(call.token))
    }

    const load = Effect.gen(function* () {
      const known = new Set(underWay.keys())
      seen = known
      isMoreOwed = false
      const owed = yield* journal.owed(options.maxDeliveries)
      for (const piece of Array.chunksOf(owed, pieceOfLoad)) {
        for (const call of piece) {
          if (known.has(call.token)) continue
          if (hasRoom()) begin(call)
          else isMoreOwed = true
        }
        yield* EventLoop.turn
      }
      seen = undefined
      if (owed.length >= options.maxDeliveries) isMoreOwed = true
      changed()
    })

    const loadLater = (cause: unknown) =>
      Effect.zipRight(
        Metric.increment(Metrics.storeErrors),
        Effect.logWarning("the journal does not tell what it owes, and is asked again", cause)
      )

    const orphan = Effect.suspend(() => journal.orphan(now()))
    yield* EventLoop.pieces(Effect.retry(orphan, atStart))
    changed()
    yield* Queue.take(loads).pipe(
      Effect.zipRight(Effect.retry(Effect.tapError(Effect.sandbox(load), loadLater), DisconnectDelivery.pace)),
      Effect.forever,
      Effect.forkScoped
    )

    // Uninterruptible: what was recorded is begun, though its caller has gone.
    const owe = (call: DisconnectCall) =>
      Effect.uninterruptible(
        Effect.suspend(() => {
          const { reason, token } = call
          if (underWay.has(token)) return Effect.void
          const isAdmitted = hasRoom()
          if (isAdmitted) claim(token)
          return Effect.matchCauseEffect(writer.record({ _tag: "Owe", token, reason, at: now() }), {
            // Above the bound too: no connect is accepted meanwhile, so these are at most those that are open now.
            onFailure: (cause) =>
              Effect.zipRight(
                Effect.logError(`disconnect ${token} is not recorded, and delivered from memory`, cause),
                Effect.sync(() => begin(call))
              ),
            onSuccess: () => Effect.sync(() => (isAdmitted ? begin(call) : later()))
          })
        })
      )

    const revive = (letter: DeadLetter) =>
      Effect.uninterruptible(
        Effect.suspend(() => {
          const { token } = letter
          const isAdmitted = hasRoom()
          if (isAdmitted) claim(token)
          return writer.record({ _tag: "Revive", token, at: now() }).pipe(
            Effect.tapErrorCause(() => Effect.sync(() => isAdmitted && release(token))),
            Effect.map(() => (isAdmitted ? begin(letter) : later()))
          )
        })
      )

    /** One after the other: two of one token would both find it, and deliver it twice. */
    const retry = (token: string) =>
      Effect.gen(function* () {
        const letter = yield* deadLetters.find(token)
        if (letter === undefined) return false
        const ending = underWay.get(token) // it was given up just now
        if (ending !== undefined) yield* Fiber.await(ending)
        yield* revive(letter)
        return true
      }).pipe(oneRetry.withPermits(1))

    return DisconnectOutbox.of({
      owe,
      deadLetters: deadLetters.list,
      retry,
      drain: idle.await,
      size: () => underWay.size
    })
  })

/** Fails when the journal cannot take what a former process left open: its connects would be taken for our own. */
export const layer = (
  options: Options = defaults
): Layer.Layer<DisconnectOutbox, StoreError, Callbacks | ConnectionJournal | JournalWriter> =>
  Layer.scoped(DisconnectOutbox, make(options))
