import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RetainedKey } from "../../src/domain/RetainedEvent.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import { RetainedStore } from "../../src/store/RetainedStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { retainedStoreContract } from "../../src/testing/RetainedStoreContract.ts"
import * as TemporaryFile from "./TemporaryFile.ts"

const file = (filename: string) => Layer.orDie(SqliteStore.layer({ filename, durability: "process" }))

for (const [engine, layer] of [
  ["memory", MemoryRetainedStore.layer],
  ["sqlite", Layer.unwrapScoped(Effect.map(TemporaryFile.make, file))]
] as const) {
  describe(`RetainedStore (${engine})`, () => {
    for (const { holds, says } of retainedStoreContract) it.effect(says, () => Effect.provide(holds, layer))
  })
}

it.scoped("SqliteRetainedStore has after a restart what was put before it", () =>
  Effect.gen(function* () {
    const filename = yield* TemporaryFile.make
    const put = Effect.flatMap(RetainedStore, (store) => store.put(RetainedKey.make("a"), { name: "n", data: "1" }, 7))
    yield* Effect.provide(put, file(filename))
    const all = yield* Effect.provide(
      Effect.flatMap(RetainedStore, (store) => store.all),
      file(filename)
    )
    assert.deepEqual(all, [{ key: "a", name: "n", data: "1", at: 7 }])
  })
)
