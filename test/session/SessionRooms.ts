import { type Context, Deferred, Effect, Either, Layer } from "effect"
import type { NewEvent } from "../../src/domain/Event.ts"
import { SessionId } from "../../src/domain/Session.ts"
import type { AppendError } from "../../src/domain/SessionError.ts"
import type { Appended } from "../../src/session/Append.ts"
import * as SessionRegistry from "../../src/session/SessionRegistry.ts"
import type { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as StoreWriter from "../../src/store/StoreWriter.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as CapturedLog from "./CapturedLog.ts"

export interface Options {
  readonly session?: Partial<SessionRegistry.Options>
  readonly writer?: Partial<StoreWriter.Options>
  /** In memory, unless the test brings its own. */
  readonly store?: Layer.Layer<EventStore>
}

/** The rooms up to `session`, over a store in memory that can be told to fail. Not shared: each test builds its own. */
export const layer = ({ session, store = MemoryStore.layer, writer }: Options = {}) =>
  SessionRegistry.layer({ ...SessionRegistry.defaults, ...session }).pipe(
    Layer.provideMerge(StoreWriter.layer({ ...StoreWriter.defaults, ...writer })),
    Layer.provideMerge(Layer.provide(FaultyStore.layer, store)),
    Layer.provideMerge(CapturedLog.layer)
  )

export const s1 = SessionId.make("s1")
export const s2 = SessionId.make("s2")

export const events = (...data: ReadonlyArray<string>): ReadonlyArray<NewEvent> =>
  data.map((text) => ({ name: "message", data: text }))

/** `count` events whose data says their own number, when they begin at `first`. */
export const numbers = (first: number, count: number): ReadonlyArray<NewEvent> =>
  events(...Array.from({ length: count }, (_, index) => `${first + index}`))

type Registry = Context.Tag.Service<SessionRegistry.SessionRegistry>

export interface Pending {
  readonly answer: Effect.Effect<Appended, AppendError>
  readonly isAnswered: () => boolean
}

/** Appends now, as a request does: nothing is waited for. */
export const send = (
  registry: Registry,
  session: SessionId,
  sent: ReadonlyArray<NewEvent>,
  expect?: { readonly epoch: string | undefined; readonly seq: number }
): Effect.Effect<Pending> =>
  Effect.map(Deferred.make<Appended, AppendError>(), (deferred) => {
    let answered = false
    registry.unsafeAppend(session, {
      events: sent,
      expect,
      done: (result) => {
        answered = true
        Deferred.unsafeDone(deferred, Either.match(result, { onLeft: Effect.fail, onRight: Effect.succeed }))
      }
    })
    return { answer: Deferred.await(deferred), isAnswered: () => answered }
  })
