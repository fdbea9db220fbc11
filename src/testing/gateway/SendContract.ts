import * as assert from "node:assert/strict"
import { Effect } from "effect"
import type { BackendEvent } from "../../domain/BackendEvent.ts"
import * as EventLoop from "../../store/EventLoop.ts"
import {
  ask,
  all,
  badNames,
  event,
  events,
  fails,
  fill,
  isGone,
  requestId,
  type Rule,
  rule,
  say,
  token
} from "./Rule.ts"

const half = 512 * 1024
const numbers = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

/** Events, and what each is on the wire (contract §4). An empty name is none. */
const odd: ReadonlyArray<readonly [BackendEvent, string]> = [
  [{ name: "greet", data: "a\nb" }, "event: greet\ndata: a\ndata: b\n\n"],
  [event("plain"), "data: plain\n\n"],
  [{ name: "", data: "unnamed" }, "data: unnamed\n\n"],
  [event(""), "data: \n\n"],
  [{ name: "n", data: "" }, "event: n\ndata: \n\n"],
  [event("\r\na\rb\n"), "data: \ndata: a\ndata: b\ndata: \n\n"],
  [event(" a\nid: 7\nevent: x"), "data:  a\ndata: id: 7\ndata: event: x\n\n"],
  [{ name: "größe", data: "\u2028 日本 🙂 \ud800" }, "event: größe\ndata: \u2028 日本 🙂 \ufffd\n\n"]
]

/** What a send does to whom it is for. */
export const sendContract: ReadonlyArray<Rule> = [
  rule(
    "an event is on the stream as it was sent: with a name or none, many lines or none, in any alphabet",
    (gateway, clients) =>
      Effect.gen(function* () {
        const client = yield* clients.open()
        const to = token(client.token)
        for (const [event] of odd) {
          assert.deepEqual(yield* gateway.send({ ...ask(to), event }), { status: "ok" })
        }
        yield* gateway.close(to)
        yield* client.ended
        assert.equal(client.text(), odd.map(([, text]) => text).join(""))
      })
  ),

  rule("the order of the calls is the order on the stream", (gateway, clients) =>
    Effect.gen(function* () {
      const client = yield* clients.open()
      const sent = numbers(30)
      for (const data of sent) yield* gateway.send(say(token(client.token), data))
      yield* gateway.close(token(client.token))
      assert.deepEqual(yield* client.ended, events(...sent))
    })
  ),

  rule(
    "sends to 20 connections at the same time are each on the stream of their own, in its order",
    (gateway, clients) =>
      Effect.gen(function* () {
        const open = yield* Effect.all(
          Array.from({ length: 20 }, () => clients.open()),
          { concurrency: 20 }
        )
        const mine = (token: string) => numbers(5).map((data) => `${token} ${data}`)
        yield* Effect.forEach(
          open,
          (client) => Effect.forEach(mine(client.token), (data) => gateway.send(say(token(client.token), data))),
          { concurrency: "unbounded" }
        )
        for (const client of open) {
          yield* gateway.close(token(client.token))
          assert.deepEqual(yield* client.ended, events(...mine(client.token)))
        }
      })
  ),

  rule("a request id reaches its present connection alone, by sends and by closes", (gateway, clients) =>
    Effect.gen(function* () {
      const other = yield* clients.open()
      const first = yield* clients.open("send-1")
      yield* gateway.send(say(requestId("send-1"), "to the first"))
      const second = yield* clients.open("send-1")
      yield* gateway.send(say(requestId("send-1"), "to the second"))
      assert.deepEqual(yield* first.ended, events("to the first"))
      yield* gateway.close(requestId("send-1"))
      assert.deepEqual(yield* second.ended, events("to the second"))
      yield* gateway.close(token(other.token))
      assert.deepEqual(yield* other.ended, [])
    })
  ),

  rule(
    "a send to all reaches each client of the backend, and says how many: none when nobody is there",
    (gateway, clients) =>
      Effect.gen(function* () {
        assert.deepEqual(yield* gateway.send(say(all, "nobody")), { status: "ok", connections: 0 })
        const watcher = yield* clients.watch("send-to-all")
        const waiting = yield* clients.wait()
        const open = yield* Effect.all([clients.open("send-2"), clients.open(), clients.open()])
        assert.deepEqual(yield* gateway.send(say(all, "all")), { status: "ok", connections: 4 })
        for (const client of [...open, yield* waiting.accept]) assert.deepEqual(yield* client.take(1), events("all"))
        // A stream that the backend never accepted is not one of its clients; what is broadcast later shows what it has.
        yield* gateway.broadcast(event("last"))
        assert.deepEqual(yield* watcher.take(1), events("last"))
      })
  ),

  rule("a send without an event writes nothing, and tells whether the connection lives", (gateway, clients) =>
    Effect.gen(function* () {
      const waiting = yield* clients.wait("send-3")
      assert.deepEqual(yield* gateway.send(ask(token(waiting.token))), { status: "buffered" })
      const client = yield* waiting.accept
      for (const to of [token(client.token), requestId("send-3")]) {
        assert.deepEqual(yield* gateway.send(ask(to)), { status: "ok" })
      }
      yield* gateway.close(token(client.token))
      assert.deepEqual(yield* client.ended, [])
      yield* fails(gateway.send(ask(token(client.token))), "TokenNotFound")
    })
  ),

  rule("a token that is unknown, empty, replaced, closed or gone is not found", (gateway, clients) =>
    Effect.gen(function* () {
      for (const unknown of ["00000000-0000-4000-8000-000000000000", "no token", ""]) {
        yield* isGone(gateway, token(unknown))
      }
      const replaced = yield* clients.open("send-4")
      const closed = yield* clients.open("send-4")
      yield* isGone(gateway, token(replaced.token))
      yield* gateway.close(token(closed.token))
      yield* isGone(gateway, token(closed.token))
      const left = yield* clients.open()
      yield* left.leave
      yield* isGone(gateway, token(left.token))
      assert.deepEqual([yield* replaced.reason, yield* closed.reason], ["replaced", "server_closed"])
    })
  ),

  rule("a request id that nobody has, or nobody has any more, is not found", (gateway, clients) =>
    Effect.gen(function* () {
      const client = yield* clients.open("send-5")
      for (const nobody of ["send-6", "", client.token]) yield* isGone(gateway, requestId(nobody))
      yield* client.leave
      yield* isGone(gateway, requestId("send-5"))
    })
  ),

  rule("what is sent while the callback runs is kept, and comes first and in its order", (gateway, clients) =>
    Effect.gen(function* () {
      const waiting = yield* clients.wait()
      const to = token(waiting.token)
      for (const data of ["1", "2", "3"]) {
        assert.deepEqual(yield* gateway.send(say(to, data)), { status: "buffered" })
      }
      const client = yield* waiting.accept
      yield* gateway.send(say(to, "4", true))
      assert.deepEqual(yield* client.ended, events("1", "2", "3", "4"))
    })
  ),

  // promise 3
  rule(
    "too much for a connection whose callback runs is refused: nothing of it is kept, its close neither",
    (gateway, clients) =>
      Effect.gen(function* () {
        const waiting = yield* clients.wait()
        const to = token(waiting.token)
        const kept = yield* fill(gateway, to)
        yield* fails(gateway.send(say(to, "refused", true)), "Overloaded")
        const client = yield* waiting.accept
        yield* gateway.send(say(to, "last", true))
        assert.deepEqual(yield* client.ended, events(...numbers(kept), "last"))
      })
  ),

  // promise 3
  rule(
    "too much for a client that does not read is refused: nothing of it is taken, its close neither",
    (gateway, clients) =>
      Effect.gen(function* () {
        const client = yield* clients.open()
        const to = token(client.token)
        yield* client.pause
        const taken = yield* fill(gateway, to, half)
        yield* fails(gateway.send(say(to, "refused".padEnd(half), true)), "Overloaded")
        yield* client.resume
        yield* client.take(taken)
        // The client may have all before the server sees that its socket has room again.
        yield* Effect.retry(Effect.zipRight(EventLoop.turn, gateway.send(say(to, "last", true))), {
          while: ({ _tag }) => _tag === "Overloaded"
        })
        const got = (yield* client.ended).map(({ data }) => data.trimEnd())
        assert.deepEqual(got, [...numbers(taken), "last"])
      })
  ),

  // promise 8
  rule("a name that cannot be published is refused: nothing is sent, or closed", (gateway, clients) =>
    Effect.gen(function* () {
      const client = yield* clients.open()
      const to = token(client.token)
      for (const name of badNames) {
        for (const target of [to, all]) {
          yield* fails(gateway.send({ ...say(target, "bad", true), event: { name, data: "bad" } }), "InvalidRequest")
        }
      }
      yield* gateway.send(say(to, "good", true))
      assert.deepEqual(yield* client.ended, events("good"))
    })
  )
]
