import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { eventStoreContract } from "../../src/testing/EventStoreContract.ts"
import * as TemporaryFile from "./TemporaryFile.ts"

const sqlite = Layer.unwrapScoped(
  Effect.map(TemporaryFile.make, (filename) => SqliteStore.layer({ filename, durability: "process" }))
)

for (const [engine, layer] of [
  ["memory", MemoryStore.layer],
  ["sqlite", sqlite]
] as const) {
  describe(`EventStore (${engine}; S160)`, () => {
    for (const { holds, says } of eventStoreContract) it.effect(says, () => Effect.provide(holds, layer))
  })
}
