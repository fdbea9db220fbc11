import { Effect, Layer } from "effect"
import { StoreError } from "../../src/domain/SessionError.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"

type Reason = StoreError["reason"]

/** A store in memory whose writes, or reads too, fail while a test says so. */
export const make = () => {
  let writes: Reason | undefined
  let reads: Reason | undefined
  let left = Number.POSITIVE_INFINITY

  const unless = <A>(reason: () => Reason | undefined, effect: Effect.Effect<A, StoreError>) =>
    Effect.suspend(() => {
      const failing = left > 0 ? reason() : undefined
      if (failing === undefined) return effect
      left -= 1
      return Effect.fail(new StoreError({ reason: failing, cause: "said the test" }))
    })
  const write = <A>(effect: Effect.Effect<A, StoreError>) => unless(() => writes, effect)
  const read = <A>(effect: Effect.Effect<A, StoreError>) => unless(() => reads, effect)

  const over = (store: (typeof EventStore)["Service"]) =>
    EventStore.of({
      commit: (batches) => write(store.commit(batches)),
      remove: (session) => write(store.remove(session)),
      trim: (session, oldest) => write(store.trim(session, oldest)),
      sweep: (cutoff) => store.sweep(cutoff),
      check: write(store.check),
      load: (session) => read(store.load(session)),
      list: (query) => read(store.list(query)),
      readPage: (session, after, limit) => read(store.readPage(session, after, limit)),
      readEvents: (session, range) => read(store.readEvents(session, range)),
      receipt: (session, key) => read(store.receipt(session, key)),
      expired: (cutoff) => read(store.expired(cutoff))
    })

  return {
    layer: Layer.provide(Layer.effect(EventStore, Effect.map(EventStore, over)), MemoryStore.layer),
    /** `times` counts what fails, then all is well again. */
    failWrites: (reason: Reason, times = Number.POSITIVE_INFINITY) => {
      writes = reason
      left = times
    },
    failReads: (reason: Reason) => {
      reads = reason
      left = Number.POSITIVE_INFINITY
    },
    heal: () => {
      writes = undefined
      reads = undefined
    }
  } as const
}
