import { FileSystem } from "@effect/platform"
import { Effect, Layer } from "effect"
import { SessionError } from "sluice"
import { EventStore, MemoryStore } from "sluice/server"

/** The engine in memory, which also writes each commit into a file, before anybody hears of it. */
export const layer = (file: string) =>
  Layer.effect(
    EventStore.EventStore,
    Effect.gen(function* () {
      const memory = yield* EventStore.EventStore
      const files = yield* FileSystem.FileSystem

      const written = (text: string) =>
        Effect.mapError(
          files.writeFileString(file, text, { flag: "a" }),
          (cause) => new SessionError.StoreError({ reason: "Unavailable", cause })
        )

      return EventStore.EventStore.of({
        ...memory,
        commit: (batches) => {
          const lines = batches.map(({ events, first, session }) => JSON.stringify({ session, first, events }))
          return Effect.zipRight(written(`${lines.join("\n")}\n`), memory.commit(batches))
        }
      })
    })
  ).pipe(Layer.provide(MemoryStore.layer))
