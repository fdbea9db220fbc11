import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ConnectFlow } from "../../src/gateway/ConnectFlow.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import { open } from "../connection/ConnectionRooms.ts"
import { ConnectionRegistry } from "../../src/connection/ConnectionRegistry.ts"
import { s1 } from "../session/SessionRooms.ts"
import { settledUntil } from "../store/StoreWriterTurn.ts"
import { layer, ScriptedBackend, TestVisitor, yes } from "./GatewayRooms.ts"

const count = 2500

const visitors = Effect.gen(function* () {
  const backend = yield* ScriptedBackend
  const flow = yield* ConnectFlow
  const all = Array.from({ length: count }, () => new TestVisitor())
  for (const visitor of all) flow.connect(visitor, '{"url":"/sse/x","headers":{}}')
  assert.equal(yield* settledUntil(() => backend.asked.length === count), true)
  for (const token of backend.asked) yield* backend.answer(token, Effect.succeed(yes))
  assert.equal(yield* settledUntil(() => all.every(({ accepts }) => accepts === 1)), true)
  return all
})

const toAll = { to: { _tag: "All" }, close: false, service: undefined } as const

describe("LocalGateway", () => {
  it.effect(
    "encodes a send to all once: every stream gets the same bytes by reference, in the order of the calls",
    () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway
        const all = yield* visitors
        for (const data of ["first", "second"]) {
          const sent = yield* gateway.send({ ...toAll, event: { name: "news", data } })
          assert.equal(sent.connections, count)
        }
        assert.equal(new Set(all.flatMap(({ socket }) => socket.frames)).size, 2)
        for (const { socket } of all) {
          assert.equal(socket.received, "event: news\ndata: first\n\nevent: news\ndata: second\n\n")
        }
      }).pipe(Effect.provide(layer()))
  )

  it.effect("broadcasts to every kind of stream in its own form, once encoded for each, and stores nothing (S33)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway
      const connections = yield* ConnectionRegistry
      const all = yield* visitors
      const session = open(connections, s1)
      yield* session.named("sluice.live")
      assert.equal(yield* gateway.broadcast({ name: "news", data: "x" }), count + 1)
      assert.equal(new Set(all.flatMap(({ socket }) => socket.frames)).size, 1)
      assert.deepEqual(
        session.messages.map(({ data, name }) => [name, data]),
        [["news", "x"]]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("answers WRITE_FAILED when the socket breaks in the write, and the backend hears of an error (S31)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway
      const backend = yield* ScriptedBackend
      const flow = yield* ConnectFlow
      const visitor = new TestVisitor()
      flow.connect(visitor, '{"url":"/sse/x","headers":{}}')
      assert.equal(yield* settledUntil(() => backend.asked.length === 1), true)
      const [token = ""] = backend.asked
      yield* backend.answer(token, Effect.succeed(yes))
      assert.equal(yield* settledUntil(() => visitor.socket.isBegun), true)
      visitor.socket.breakWhen()
      const send = gateway.send({
        to: { _tag: "Token", token },
        event: { name: undefined, data: "x" },
        close: false,
        service: undefined
      })
      assert.equal((yield* Effect.flip(send))._tag, "WriteFailed")
      assert.equal(yield* settledUntil(() => backend.disconnects.length === 1), true)
      assert.deepEqual(
        [backend.disconnects[0]?.reason, visitor.socket.isDestroyed, (yield* Effect.flip(send))._tag],
        ["error", true, "TokenNotFound"]
      )
    }).pipe(Effect.provide(layer()))
  )
})
