import * as assert from "node:assert/strict"
import { describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { connectPersistent, type Storage } from "../../../src/client/browser/Persistent.ts"
import type { Message } from "../../../src/client/core/Outbox.ts"
import * as FakeTimers from "./FakeTimers.ts"
import * as ScriptedFetch from "./ScriptedFetch.ts"

const url = "http://sluice.example"

const message = (id: string): Message => ({ id, session: "s", data: `"${id}"` })

const memory = (messages: ReadonlyArray<Message>, faults: Partial<Storage> = {}) => {
  const kept = new Map(messages.map((message) => [message.id, message]))
  const storage: Storage = {
    load: async () => ({ places: new Map(), messages: Array.from(kept.values()) }),
    place: async () => {},
    keep: async (message) => void kept.set(message.id, message),
    drop: async ({ id }) => void kept.delete(id),
    ...faults
  }
  return { storage, kept } as const
}

const connected = (storage: Storage) =>
  Effect.gen(function* () {
    const network = ScriptedFetch.make()
    const options = { url, sessions: ["s"], fetch: network.fetch, timers: FakeTimers.make() }
    const client = yield* Effect.acquireRelease(
      Effect.promise(() => connectPersistent(storage, options)),
      (client) => Effect.sync(() => client.close())
    )
    return { client, stream: yield* network.request(0), request: network.request } as const
  })

describe("a client with a storage", () => {
  it.scoped("leaves what it could not send to the next one when its key is not valid any more", () =>
    Effect.gen(function* () {
      const { kept, storage } = memory([message("m1"), message("m2")])
      const { client, stream } = yield* connected(storage)
      stream.answer(new Response("{}", { status: 401 }))
      for (const { result } of client.restored) {
        assert.deepEqual(yield* Effect.promise(() => result), { type: "unsent", reason: "failed", mayBeStored: false })
      }
      assert.deepEqual(Array.from(kept.keys()), ["m1", "m2"])
    })
  )

  it.scoped("sends all the same when the storage fails, and tells so on the console", () =>
    Effect.gen(function* () {
      const written = vi.spyOn(console, "error").mockImplementation(() => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => written.mockRestore()))
      const fails = () => Promise.reject(new Error("the disk is full"))
      const { storage } = memory([], { load: fails, keep: fails })
      const { client, request, stream } = yield* connected(storage)
      stream.open()
      yield* stream.write(ScriptedFetch.hello(0) + ScriptedFetch.live(0))
      const sent = client.send("x")
      const post = yield* request(1)
      post.answer(new Response('{"seq":1}', { status: 202 }))
      assert.equal((yield* Effect.promise(() => sent)).type, "accepted")
      assert.equal(written.mock.calls.length, 2)
    })
  )
})
