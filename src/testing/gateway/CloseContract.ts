import * as assert from "node:assert/strict"
import { Effect } from "effect"
import { all, events, isGone, type Rule, rule, say, token } from "./Rule.ts"

/** How a backend ends streams. */
export const closeContract: ReadonlyArray<Rule> = [
  rule("a send with an event and a close ends the stream after its event", (gateway, clients) =>
    Effect.gen(function* () {
      const client = yield* clients.open()
      yield* gateway.send(say(token(client.token), "1"))
      assert.deepEqual(yield* gateway.send(say(token(client.token), "2", true)), { status: "ok" })
      assert.deepEqual(yield* client.ended, events("1", "2"))
    })
  ),

  rule(
    "a close alone ends the stream without an event, and the backend hears that it was the server's doing",
    (gateway, clients) =>
      Effect.gen(function* () {
        const client = yield* clients.open()
        assert.deepEqual(yield* gateway.close(token(client.token)), { status: "ok" })
        assert.deepEqual(yield* client.ended, [])
        assert.equal(yield* client.reason, "server_closed")
      })
  ),

  rule("a close while the callback runs ends the stream as it begins, after what was kept", (gateway, clients) =>
    Effect.gen(function* () {
      const waiting = yield* clients.wait()
      const to = token(waiting.token)
      yield* gateway.send(say(to, "kept"))
      assert.deepEqual(yield* gateway.close(to), { status: "buffered" })
      const client = yield* waiting.accept
      assert.deepEqual(yield* client.ended, events("kept"))
      assert.equal(yield* client.reason, "server_closed")
    })
  ),

  rule(
    "a close is answered before the backend has: it may hold a lock that its own answer waits for",
    (gateway, clients) =>
      Effect.gen(function* () {
        const client = yield* clients.open()
        yield* clients.silence
        yield* gateway.close(token(client.token))
        assert.equal(yield* client.reason, "server_closed")
        yield* isGone(gateway, token(client.token))
        assert.deepEqual(yield* client.ended, [])
      })
  ),

  rule(
    "a close of all ends each stream of the backend, and says how many; those of sessions stay",
    (gateway, clients) =>
      Effect.gen(function* () {
        const watcher = yield* clients.watch("close-all")
        const open = yield* Effect.all([clients.open(), clients.open(), clients.open()])
        assert.deepEqual(yield* gateway.close(all), { status: "ok", connections: 3 })
        for (const client of open) assert.deepEqual(yield* client.ended, [])
        assert.deepEqual(
          (yield* gateway.open).map(({ token }) => token),
          [watcher.token]
        )
      })
  )
]
