import { Effect, Option, Schema } from "effect"
import { RetainedKey } from "../domain/RetainedEvent.ts"
import type { InvalidRequest, StoreError } from "../domain/SessionError.ts"
import { TaskState } from "../domain/Task.ts"
import { RetainedStore } from "../store/RetainedStore.ts"

/** So that the same store may hold something else. */
const prefix = "task."

/** A task as it outlives the process. */
const Entry = Schema.Struct({
  state: TaskState,
  /** The request id that alone hears of it. */
  to: Schema.optionalWith(Schema.String, { exact: true })
})
export type Entry = typeof Entry.Type

const text = Schema.parseJson(Entry)
const decode = Schema.decodeOption(text)
const encode = Schema.encode(text)

/** The tasks that have not been told to their end: written before one begins, removed after its end was told. */
export const make = Effect.gen(function* () {
  const store = yield* RetainedStore
  const clock = yield* Effect.clock
  const keyOf = (id: string) => RetainedKey.make(`${prefix}${id}`)

  return {
    write: (entry: Entry): Effect.Effect<void, InvalidRequest | StoreError> =>
      Effect.flatMap(Effect.orDie(encode(entry)), (data) =>
        store.put(keyOf(entry.state.id), { name: "task", data }, clock.unsafeCurrentTimeMillis())
      ),

    remove: (id: string): Effect.Effect<void, StoreError> => Effect.asVoid(store.remove(keyOf(id))),

    /** What a former process left. Entries that cannot be read any more are left out. */
    left: Effect.map(store.all, (events) =>
      events.filter(({ key }) => key.startsWith(prefix)).flatMap(({ data }) => Option.toArray(decode(data)))
    )
  } as const
})
