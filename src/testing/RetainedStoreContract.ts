import * as assert from "node:assert/strict"
import { Effect, Either, Option } from "effect"
import { RetainedKey } from "../domain/RetainedEvent.ts"
import type { InvalidRequest, StoreError } from "../domain/SessionError.ts"
import * as RetainedBounds from "../store/RetainedBounds.ts"
import { RetainedStore } from "../store/RetainedStore.ts"

type Store = typeof RetainedStore.Service

/** One thing that every store of retained events does. `holds` begins with an empty store and dies when it does otherwise. */
export interface Rule {
  readonly says: string
  readonly holds: Effect.Effect<void, InvalidRequest | StoreError, RetainedStore>
}

const rule = (says: string, holds: (store: Store) => Effect.Effect<void, InvalidRequest | StoreError>): Rule => ({
  says,
  holds: Effect.flatMap(RetainedStore, holds)
})

const key = (text: string) => RetainedKey.make(text)
const message = (data: string) => ({ name: "message", data })
const numbered = (index: number) => key(`k${`${index}`.padStart(4, "0")}`)

/** A put that must be refused for this field and change nothing. */
const refused = (store: Store, refusal: ReturnType<Store["put"]>, field: string) =>
  Effect.gen(function* () {
    const before = yield* store.all
    const put = yield* Effect.either(refusal)
    assert.ok(Either.isLeft(put), "it was taken")
    assert.ok(put.left._tag === "InvalidRequest", put.left._tag)
    assert.equal(put.left.field, field)
    assert.deepEqual(yield* store.all, before)
  })

/** What every `RetainedStore` does. Knows no test runner: loop over it in yours, with a new store for each. */
export const retainedStoreContract: ReadonlyArray<Rule> = [
  rule("knows nothing of a key that was never put", (store) =>
    Effect.gen(function* () {
      assert.deepEqual(yield* store.get(key("a")), Option.none())
      assert.equal(yield* store.remove(key("a")), false)
      assert.deepEqual(yield* store.all, [])
    })
  ),

  rule("gives back what was put, character by character", (store) =>
    Effect.gen(function* () {
      const full = {
        key: key("a.b_c~d:e-f"),
        name: "größe",
        data: "ü 😀\r\n\u0000 ' \" \\ \u2028",
        at: 1_700_000_000_123
      }
      const empty = { key: key("empty"), name: "message", data: "", at: 0 }
      for (const event of [full, empty]) {
        yield* store.put(event.key, event, event.at)
        assert.deepEqual(yield* store.get(event.key), Option.some(event))
      }
      assert.deepEqual(yield* store.all, [full, empty])
    })
  ),

  rule("keeps the last value of a key, with its name and time", (store) =>
    Effect.gen(function* () {
      yield* store.put(key("a"), { name: "one", data: "1" }, 1)
      yield* store.put(key("a"), { name: "two", data: "2" }, 2)
      assert.deepEqual(yield* store.all, [{ key: "a", name: "two", data: "2", at: 2 }])
    })
  ),

  rule("tells keys apart by case, and lists by key, whenever they were put", (store) =>
    Effect.gen(function* () {
      for (const text of ["b", "a", "B", "~", "a0", "-"]) yield* store.put(key(text), message(text), 1)
      yield* store.put(key("b"), message("again"), 2)
      const keys = (yield* store.all).map(({ key }) => key)
      assert.deepEqual(keys, ["-", "B", "a", "a0", "b", "~"])
    })
  ),

  rule("forgets what is removed, once, and that alone", (store) =>
    Effect.gen(function* () {
      yield* store.put(key("a"), message("1"), 1)
      yield* store.put(key("b"), message("2"), 1)
      assert.equal(yield* store.remove(key("a")), true)
      assert.equal(yield* store.remove(key("a")), false)
      assert.deepEqual(yield* store.get(key("a")), Option.none())
      assert.deepEqual(yield* store.all, [{ key: "b", name: "message", data: "2", at: 1 }])
    })
  ),

  // promise 3
  rule("refuses a new key above its bound, never a known one, until one is removed", (store) =>
    Effect.gen(function* () {
      for (let index = 0; index < RetainedBounds.maxKeys; index++) yield* store.put(numbered(index), message(""), 1)
      yield* refused(store, store.put(key("new"), message(""), 2), "key")
      yield* store.put(numbered(0), message("replaced"), 2)
      assert.equal(yield* store.remove(numbered(1)), true)
      yield* store.put(key("new"), message(""), 2)
      yield* refused(store, store.put(numbered(1), message(""), 2), "key")
      assert.equal((yield* store.all).length, RetainedBounds.maxKeys)
    })
  ),

  // promise 3
  rule("refuses bytes above its bound, of keys, names and data together, as they are in UTF-8", (store) =>
    Effect.gen(function* () {
      const rest = RetainedBounds.maxBytes - 2 * Buffer.byteLength("k0000message")
      const half = Math.floor(rest / 4)
      const left = rest - 2 * half
      yield* store.put(numbered(0), message("ü".repeat(half)), 1)
      yield* refused(store, store.put(numbered(1), message("x".repeat(left + 1)), 1), "data")
      yield* store.put(numbered(1), message("x".repeat(left)), 1)
      yield* refused(store, store.put(key("c"), message(""), 1), "data")
      // What is replaced makes room for what replaces it.
      yield* store.put(numbered(1), message("y".repeat(left)), 2)
      yield* store.put(numbered(0), message(""), 2)
      yield* store.put(key("c"), message("fits now"), 2)
    })
  )
]
