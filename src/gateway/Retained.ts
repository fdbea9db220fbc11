import { Context, Effect, Either, Layer, Option } from "effect"
import * as Broadcast from "../connection/Broadcast.ts"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import type { NewEvent } from "../domain/Event.ts"
import { RetainedNotFound } from "../domain/GatewayError.ts"
import type { RetainedEvent, RetainedKey } from "../domain/RetainedEvent.ts"
import type { InvalidRequest, Overloaded, StoreError } from "../domain/SessionError.ts"
import { RetainedStore } from "../store/RetainedStore.ts"
import { StoreWriter } from "../store/StoreWriter.ts"
import type { Profile } from "./Profile.ts"

/** The last value under each key: stored, told to every open stream when it is put, and to each new one (contract §2). */
export class Retained extends Context.Tag("sluice/gateway/Retained")<
  Retained,
  {
    /** Durable on success. How many open streams took it: one whose socket is full does not. */
    readonly put: (key: RetainedKey, event: NewEvent) => Effect.Effect<number, InvalidRequest | Overloaded | StoreError>
    readonly get: (key: RetainedKey) => Effect.Effect<RetainedEvent, RetainedNotFound | StoreError>
    /** No stream that opens later is told it. */
    readonly remove: (key: RetainedKey) => Effect.Effect<void, Overloaded | RetainedNotFound | StoreError>
  }
>() {}

/** Half a surrogate pair has no UTF-8: frames and store say the same in its place. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd")

export const make = (profile: Profile) =>
  Effect.gen(function* () {
    const store = yield* RetainedStore
    const writer = yield* StoreWriter
    const connections = yield* ConnectionRegistry
    const clock = yield* Effect.clock

    const backendEvent = ({ data, name }: NewEvent) => ({ name: name === "message" ? undefined : name, data })

    const encode = (given: NewEvent, at: number) => {
      const event = backendEvent(given)
      return Either.map(profile.frame(event), (bare) => Broadcast.encode(event, bare, at))
    }

    /** What another profile took may have no frame in this one: then streams where only the backend speaks go without. */
    const load = (retained: RetainedEvent) =>
      Either.match(encode(retained, retained.at), {
        onLeft: (problem) =>
          Effect.zipRight(
            Effect.logWarning(`retained event ${retained.key} is not told on gateway streams: ${problem.message}`),
            Effect.sync(() => {
              connections.retain(retained.key, Broadcast.encode(backendEvent(retained), "", retained.at))
            })
          ),
        onRight: (encoded) =>
          Effect.sync(() => {
            connections.retain(retained.key, encoded)
          })
      })
    yield* Effect.flatMap(store.all, Effect.forEach(load, { discard: true }))

    // What is stored is told in the same step of the writer: in the order of the commits, and also when the caller left.
    return Retained.of({
      put: (key, given) =>
        Effect.suspend(() => {
          const event = { name: wellFormed(given.name), data: wellFormed(given.data) }
          const at = clock.unsafeCurrentTimeMillis()
          return Effect.flatMap(encode(event, at), (encoded) =>
            writer.run(Effect.map(store.put(key, event, at), () => connections.retain(key, encoded)))
          )
        }),

      get: (key) =>
        Effect.flatMap(
          store.get(key),
          Option.match({ onNone: () => new RetainedNotFound({ key }), onSome: Effect.succeed })
        ),

      remove: (key) =>
        Effect.flatMap(
          writer.run(Effect.tap(store.remove(key), () => Effect.sync(() => connections.release(key)))),
          (found) => (found ? Effect.void : new RetainedNotFound({ key }))
        )
    })
  })

export const layer = (
  profile: Profile
): Layer.Layer<Retained, StoreError, ConnectionRegistry | RetainedStore | StoreWriter> =>
  Layer.effect(Retained, make(profile))
