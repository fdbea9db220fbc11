import { Effect, Layer, Option } from "effect"
import type { RetainedEvent } from "../../domain/RetainedEvent.ts"
import * as RetainedBounds from "../RetainedBounds.ts"
import { RetainedStore } from "../RetainedStore.ts"

/** Retained events that are forgotten with the process, as the memory store does. */
export const make = Effect.sync((): typeof RetainedStore.Service => {
  const events = new Map<string, RetainedEvent>()
  const byKey = () => Array.from(events.values()).sort((a, b) => (a.key < b.key ? -1 : 1))
  return RetainedStore.of({
    put: (key, { data, name }, at) =>
      Effect.suspend(() => {
        const put = { key, name, data, at }
        const left = [...Array.from(events.values()).filter((event) => event.key !== key), put]
        const bytes = left.reduce((sum, event) => sum + RetainedBounds.bytesOf(event.key, event), 0)
        const problem = RetainedBounds.problem(left.length, bytes)
        if (problem !== undefined) return Effect.fail(problem)
        events.set(key, put)
        return Effect.void
      }),
    get: (key) => Effect.sync(() => Option.fromNullable(events.get(key))),
    remove: (key) => Effect.sync(() => events.delete(key)),
    all: Effect.sync(byKey)
  })
})

export const layer: Layer.Layer<RetainedStore> = Layer.effect(RetainedStore, make)
