import * as assert from "node:assert/strict"
import { Effect } from "effect"
import { badNames, event, events, fails, type Rule, rule, say, token } from "./Rule.ts"

const news = { name: "news", data: "a\nb" }

/** What concerns all streams: broadcasts, and the list of who is there. */
export const broadcastContract: ReadonlyArray<Rule> = [
  rule(
    "a broadcast reaches every stream, of sessions too, is kept where the callback runs, and counts them",
    (gateway, clients) =>
      Effect.gen(function* () {
        assert.equal(yield* gateway.broadcast(news), 0)
        const waiting = yield* clients.wait()
        const open = yield* Effect.all([clients.open(), clients.open("broadcast-1"), clients.watch("broadcast")])
        assert.equal(yield* gateway.broadcast(news, "service"), 4)
        assert.equal(yield* gateway.broadcast({ name: "", data: "2" }), 4)
        for (const client of [...open, yield* waiting.accept]) {
          assert.deepEqual(yield* client.take(2), [news, event("2")])
        }
      })
  ),

  rule("a broadcast is stored nowhere: who comes later has none of it", (gateway, clients) =>
    Effect.gen(function* () {
      yield* clients.watch("stored-nowhere")
      assert.equal(yield* gateway.broadcast(news), 1)
      const later = yield* Effect.all([clients.open(), clients.watch("stored-nowhere")])
      yield* gateway.broadcast(event("first"))
      for (const client of later) assert.deepEqual(yield* client.take(1), events("first"))
    })
  ),

  // promise 8
  rule("a broadcast whose name cannot be published is refused, and reaches nobody", (gateway, clients) =>
    Effect.gen(function* () {
      const client = yield* clients.open()
      for (const name of badNames) yield* fails(gateway.broadcast({ name, data: "bad" }), "InvalidRequest")
      yield* gateway.send(say(token(client.token), "good", true))
      assert.deepEqual(yield* client.ended, events("good"))
    })
  ),

  rule("the list has every open stream, with its request id if it has one, and nobody else", (gateway, clients) =>
    Effect.gen(function* () {
      const listed = Effect.map(gateway.open, (open) => open.toSorted((a, b) => (a.token < b.token ? -1 : 1)))
      const isListed = (...wanted: ReadonlyArray<readonly [string, string | undefined]>) =>
        Effect.map(listed, (open) =>
          assert.deepEqual(
            open,
            wanted.map(([token, requestId]) => ({ token, requestId })).sort((a, b) => (a.token < b.token ? -1 : 1))
          )
        )
      yield* isListed()
      const named = yield* clients.open("list-1")
      yield* isListed([named.token, "list-1"])
      yield* clients.wait("list-2")
      const watcher = yield* clients.watch("list")
      const more = yield* Effect.all(Array.from({ length: 5 }, () => clients.open()))
      const others = [watcher, ...more].map(({ token }) => [token, undefined] as const)
      yield* isListed([named.token, "list-1"], ...others)
      yield* named.leave
      yield* isListed(...others)
    })
  )
]
