import { Context, type Effect, type Option } from "effect"
import type { NewEvent } from "../domain/Event.ts"
import type { RetainedEvent, RetainedKey } from "../domain/RetainedEvent.ts"
import type { InvalidRequest, StoreError } from "../domain/SessionError.ts"

/** The last event under each key: at most 1,000 keys and 4 MiB (`RetainedBounds`). One server owns a store. */
export class RetainedStore extends Context.Tag("sluice/store/RetainedStore")<
  RetainedStore,
  {
    /** Durable on success; it replaces what the key had. `at` in epoch milliseconds. Beyond a bound nothing changes. */
    readonly put: (key: RetainedKey, event: NewEvent, at: number) => Effect.Effect<void, InvalidRequest | StoreError>

    readonly get: (key: RetainedKey) => Effect.Effect<Option.Option<RetainedEvent>, StoreError>

    /** False when the key is unknown. */
    readonly remove: (key: RetainedKey) => Effect.Effect<boolean, StoreError>

    /** By key. */
    readonly all: Effect.Effect<ReadonlyArray<RetainedEvent>, StoreError>
  }
>() {}
