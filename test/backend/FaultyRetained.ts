import { Context, Effect } from "effect"
import type { StoreError } from "../../src/domain/SessionError.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import { RetainedStore } from "../../src/store/RetainedStore.ts"

/** What comes before each write, and perhaps in its place. */
type Fault = Effect.Effect<void, StoreError>

/** A store in memory whose writes meet `fault` first; `copy` is another store with what this one holds now. */
export const make = Effect.map(MemoryRetainedStore.make, (memory) => {
  const control = { fault: Effect.void as Fault }
  const first = <A, E>(write: Effect.Effect<A, E>) =>
    Effect.zipRight(
      Effect.suspend(() => control.fault),
      write
    )
  const service = RetainedStore.of({
    ...memory,
    put: (key, event, at) => first(memory.put(key, event, at)),
    remove: (key) => first(memory.remove(key))
  })
  const copy = Effect.gen(function* () {
    const other = yield* MemoryRetainedStore.make
    for (const { at, data, key, name } of yield* memory.all) yield* other.put(key, { name, data }, at)
    return other
  })
  return { context: Context.make(RetainedStore, service), service, copy, control }
})

export type Store = Effect.Effect.Success<typeof make>
