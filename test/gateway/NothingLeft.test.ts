import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { BackendRefused, BackendTimeout, BackendUnavailable, type CallbackError } from "../../src/callback/Callbacks.ts"
import { DisconnectOutbox } from "../../src/callback/DisconnectOutbox.ts"
import { ConnectionRegistry } from "../../src/connection/ConnectionRegistry.ts"
import type { ConnectAnswer } from "../../src/domain/ConnectAnswer.ts"
import { ConnectFlow } from "../../src/gateway/ConnectFlow.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import { GatewayConnections } from "../../src/gateway/GatewayConnections.ts"
import { ConnectionJournal } from "../../src/store/ConnectionJournal.ts"
import { settledUntil } from "../store/StoreWriterTurn.ts"
import { layer, ScriptedBackend, TestVisitor, yes } from "./GatewayRooms.ts"

/** How a connect goes, by its number: the backend's answer, and whether the client leaves before it. */
const answers: ReadonlyArray<Effect.Effect<ConnectAnswer, CallbackError>> = [
  Effect.succeed(yes),
  Effect.succeed({ ...yes, requestId: "shared" }),
  Effect.fail(new BackendRefused({ status: 403, reason: "" })),
  Effect.fail(new BackendTimeout()),
  Effect.fail(new BackendUnavailable({ mayHaveAccepted: true, problem: "reset" })),
  Effect.fail(new BackendUnavailable({ mayHaveAccepted: false, problem: "refused" })),
  Effect.die("a backend that breaks us")
]

const count = 1000

describe("a thousand connects and their ends", () => {
  // promises 3 and 7
  it.effect("leave nothing behind: no entry, no fiber, no owed callback, whatever became of each (S40)", () =>
    Effect.gen(function* () {
      const backend = yield* ScriptedBackend
      const connections = yield* ConnectionRegistry
      const flow = yield* ConnectFlow
      const gateway = yield* Gateway
      const registry = yield* GatewayConnections
      const journal = yield* ConnectionJournal
      const outbox = yield* DisconnectOutbox
      const visitors = Array.from({ length: count }, () => new TestVisitor())
      for (const visitor of visitors) flow.connect(visitor, '{"url":"/sse/x","headers":{}}')
      assert.equal(yield* settledUntil(() => backend.asked.length === count), true)
      assert.deepEqual([registry.arriving(), registry.all().length], [count, count])
      for (const [index, visitor] of visitors.entries()) if (index % 3 === 0) visitor.leave()
      for (const [index, token] of backend.asked.entries()) {
        yield* backend.answer(token, answers[index % answers.length] ?? Effect.die("no answer"))
      }
      assert.equal(yield* settledUntil(() => registry.arriving() === 0), true)
      // Half of those that are open leave by themselves, the backend closes the others.
      const open = visitors.filter(({ accepts, socket }) => accepts === 1 && !socket.isClosed)
      assert.ok(open.length > 90)
      for (const [index, visitor] of open.entries()) if (index % 2 === 0) visitor.leave()
      yield* gateway.send({ to: { _tag: "All" }, event: undefined, close: true, service: undefined })
      yield* registry.settled
      yield* outbox.drain

      const told = backend.disconnects.map(({ token }) => token)
      assert.equal(new Set(told).size, told.length)
      assert.deepEqual([registry.all(), registry.arriving(), connections.size(), outbox.size()], [[], 0, 0, 0])
      assert.equal(registry.findByRequestId("shared"), undefined)
      assert.deepEqual([yield* journal.owed(10), yield* journal.orphan(0)], [[], false])
      assert.deepEqual(yield* journal.owed(10), [])
      for (const { accepts, refused, socket } of visitors) {
        assert.ok(socket.isClosed || refused !== undefined)
        assert.ok(accepts + (refused === undefined ? 0 : 1) <= 1)
      }
    }).pipe(Effect.provide(layer()))
  )
})
