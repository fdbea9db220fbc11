import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import * as ServerConfig from "../../src/server/ServerConfig.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import type * as TestServer from "../../src/testing/TestServer.ts"
import * as Call from "../http/Call.ts"
import { sqlite } from "../http/Engines.ts"
import * as Processes from "../http/Processes.ts"
import * as Sluice from "../http/Sluice.ts"

const overrides = (backend: TestBackend.TestBackend, store: ServerConfig.StoreConfig = { _tag: "Memory" }) => {
  const env = { CALLBACK_URL: backend.url, CALLBACK_MESSAGES: "true", CALLBACK_SECRET: "s" }
  const { callback, session } = Either.getOrThrow(
    ServerConfig.make({ env, flags: {}, insecure: false, isTerminal: false })
  )
  return { callback, session, store } satisfies TestServer.Overrides
}

const say = (sluice: Sluice.Sluice, session: string, body: unknown) =>
  Effect.map(sluice.post(`/v1/sessions/${session}/messages`, body), (answer) => {
    assert.equal(answer.status, 202, answer.text)
    return Call.json(answer)
  })

const heard = (calls: ReadonlyArray<TestBackend.Call>) =>
  calls.map(({ json }) => Call.pick(json ?? {}, "session", "id", "data", "token"))

describe("with CALLBACK_MESSAGES=true, a message to a session", () => {
  it.scopedLive("goes to the backend once, signed, in order, whether a process works for it or not", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const sluice = yield* Processes.make(overrides(backend))
      const child = yield* sluice.attach("a")
      yield* say(sluice, "a", { id: "m1", data: { text: "hi" } })
      yield* say(sluice, "a", { id: "m2", data: "two" })
      yield* say(sluice, "b", { id: "m1", data: [3] })
      yield* say(sluice, "a", { id: "m1", data: { text: "hi" } }) // asked again
      const calls = yield* backend.messages(3)
      assert.match(String(calls[0]?.headers["x-sluice-signature"]), /^sha256=[0-9a-f]{64}$/)
      assert.deepEqual(
        heard(calls).filter(({ session }) => session === "a"),
        [
          { session: "a", id: "m1", data: { text: "hi" }, token: null },
          { session: "a", id: "m2", data: "two", token: null }
        ]
      )
      assert.equal(calls.length, 3)
      assert.deepEqual(child.messages, [])
    })
  )

  it.scopedLive("names the connection of its sender, and tells the sender's request id to all", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      backend.onConnect(TestBackend.always(TestBackend.acceptWith({ request_id: "R1", watch: [{ session: "a" }] })))
      const sluice = yield* Sluice.make(overrides(backend))
      const client = yield* sluice.stream("/sse/x")
      yield* client.until((text) => text.includes("sluice.hello"))
      const [connect] = yield* backend.connects(1)
      const token = connect?.token ?? assert.fail("no connect")
      yield* say(sluice, "a", { id: "m1", data: 1, token })
      assert.deepEqual(heard(yield* backend.messages(1)), [{ session: "a", id: "m1", data: 1, token }])
      yield* client.until((text) => text.includes('\\"from\\":\\"R1\\"'))
    })
  )

  it.scopedLive("is tried again until the backend has it; those after it wait, other sessions do not", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      let refusals = 1
      backend.onMessage(({ json }) =>
        Effect.sync(() => TestBackend.answer(json?.["session"] === "a" && refusals-- > 0 ? 503 : 200))
      )
      const sluice = yield* Sluice.make(overrides(backend))
      yield* say(sluice, "a", { id: "m1", data: 1 })
      yield* say(sluice, "a", { id: "m2", data: 2 })
      yield* say(sluice, "b", { id: "m3", data: 3 })
      const calls = heard(yield* backend.messages(4))
      assert.deepEqual(
        calls.filter(({ session }) => session === "a").map(({ id }) => id),
        ["m1", "m1", "m2"]
      )
      assert.equal(calls.findIndex(({ session }) => session === "b") < 3, true)
    })
  )

  it.scopedLive("that the backend has not heard when the server stops is told by the next one", () =>
    Effect.gen(function* () {
      const backend = yield* TestBackend.make
      const store = yield* sqlite
      yield* backend.stop
      yield* Effect.scoped(
        Effect.gen(function* () {
          const sluice = yield* Sluice.make(overrides(backend, store))
          for (const id of ["m1", "m2"]) yield* say(sluice, "a", { id, data: id })
        })
      )
      yield* backend.start
      yield* Sluice.make(overrides(backend, store))
      assert.deepEqual(
        heard(yield* backend.messages(2)).map(({ id }) => id),
        ["m1", "m2"]
      )
    })
  )

  it("needs a backend: without CALLBACK_URL the server does not start, with one line that says why", () => {
    const made = ServerConfig.make({
      env: { CALLBACK_MESSAGES: "true" },
      flags: {},
      insecure: false,
      isTerminal: false
    })
    assert.equal(
      Either.isLeft(made) && made.left.message,
      "CALLBACK_MESSAGES=true is not allowed: true or false; true needs CALLBACK_URL"
    )
  })
})
