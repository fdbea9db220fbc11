import { Context, Effect, Layer } from "effect"
import type { Profile } from "../gateway/Profile.ts"
import { whileBusy } from "../store/Busy.ts"
import { EventStore } from "../store/EventStore.ts"

/** Whether this server should get requests, and why not. */
export class Readiness extends Context.Tag("sluice/http/Readiness")<
  Readiness,
  {
    /** `forSessions` leaves out what only the gateway needs. */
    readonly check: (forSessions: boolean) => Effect.Effect<{
      readonly configured: boolean
      /** What the gateway's profile adds to the answer. */
      readonly more: Profile["readyz"]
      readonly reasons: ReadonlyArray<string>
    }>
    /** The stop has begun: not ready, for good. */
    readonly drain: Effect.Effect<void>
  }
>() {}

export interface Options {
  /** There is a backend to ask. Without one the gateway is not ready; sessions are. */
  readonly isConfigured: boolean
  readonly profile: Profile
}

export const make = ({ isConfigured: configured, profile }: Options) =>
  Effect.gen(function* () {
    const store = yield* EventStore
    let isDraining = false
    return Readiness.of({
      check: (forSessions) =>
        Effect.gen(function* () {
          const reasons: Array<string> = []
          if (isDraining) reasons.push("draining")
          if (!configured && !forSessions) reasons.push("CALLBACK_URL is not set")
          yield* Effect.catchAll(Effect.retry(store.check, whileBusy), (error) =>
            Effect.sync(() => reasons.push(`the store cannot be written (${error.reason})`))
          )
          return { configured, more: profile.readyz, reasons }
        }),
      drain: Effect.sync(() => {
        isDraining = true
      })
    })
  })

export const layer = (options: Options): Layer.Layer<Readiness, never, EventStore> =>
  Layer.effect(Readiness, make(options))
