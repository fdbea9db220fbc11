import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ConnectionRegistry } from "../../src/connection/ConnectionRegistry.ts"
import { ConnectFlow } from "../../src/gateway/ConnectFlow.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import * as MetricsText from "../../src/http/MetricsText.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { open, openMany, watch } from "../connection/ConnectionRooms.ts"
import { layer, ScriptedBackend, TestVisitor, yes } from "../gateway/GatewayRooms.ts"
import { events, s1, s2, send } from "../session/SessionRooms.ts"
import { settled, settledUntil } from "../store/StoreWriterTurn.ts"
import * as Exposition from "./Exposition.ts"

/** More than a socket's buffer holds: one of them fills it. */
const large = "x".repeat(20_000)

const visit = Effect.gen(function* () {
  const backend = yield* ScriptedBackend
  const flow = yield* ConnectFlow
  const visitor = new TestVisitor()
  const asked = backend.asked.length
  flow.connect(visitor, '{"url":"/sse/x","headers":{}}')
  assert.ok(yield* settledUntil(() => backend.asked.length > asked))
  const accept = Effect.gen(function* () {
    yield* backend.answer(backend.asked[asked] ?? "", Effect.succeed(yes))
    assert.ok(yield* settledUntil(() => visitor.socket.isBegun))
  })
  return { visitor, accept } as const
})

describe("the gauges of /metrics", () => {
  it.effect(
    "follow a reader that stops: its queue, then how far it reads behind in the log, until it is back (S147)",
    () =>
      Effect.gen(function* () {
        const connections = yield* ConnectionRegistry
        const sessions = yield* SessionRegistry
        const text = yield* MetricsText.make
        const shown = () => {
          const value = Exposition.read(text())
          return {
            waiting: value("sluice_writes_waiting"),
            behind: value("sluice_log_mode_connections"),
            lag: value("sluice_lag_events")
          }
        }
        const quick = open(connections, s2)
        const slow = openMany(connections, [watch(s2), watch(s1)])
        yield* slow.named("sluice.live", 2)
        assert.deepEqual(shown(), { waiting: 0, behind: 0, lag: 0 })

        slow.pause()
        for (let n = 0; n < 4; n++) yield* sessions.append(s1, { events: events(large) })
        yield* settled
        // The first one filled the socket.
        assert.deepEqual(shown(), { waiting: 3, behind: 0, lag: 3 })
        for (let n = 0; n < 100; n++) yield* sessions.append(s1, { events: events(large, large) })
        yield* settled
        assert.deepEqual(shown(), { waiting: 0, behind: 1, lag: 203 })

        slow.resume()
        assert.ok(yield* settledUntil(() => shown().lag === 0))
        assert.deepEqual(shown(), { waiting: 0, behind: 0, lag: 0 })
        assert.deepEqual([quick.isClosed, slow.isClosed], [false, false])
      }).pipe(Effect.provide(layer()))
  )

  it.effect("count appends until their commit is done, and the sessions that are awake (S147)", () =>
    Effect.gen(function* () {
      const faulty = yield* FaultyStore.FaultyStore
      const sessions = yield* SessionRegistry
      const text = yield* MetricsText.make
      const shown = () => {
        const value = Exposition.read(text())
        return { waiting: value("sluice_appends_waiting"), awake: value("sluice_session_actors") }
      }
      assert.deepEqual(shown(), { waiting: 0, awake: 0 })
      yield* sessions.append(s1, { events: events("a") })
      assert.deepEqual(shown(), { waiting: 0, awake: 1 })
      const hold = yield* FaultyStore.holds
      faulty.next("commit", hold)
      const held = yield* send(sessions, s1, events("b"))
      yield* hold.reached
      const next = yield* send(sessions, s1, events("c"))
      const other = yield* send(sessions, s2, events("d"))
      assert.ok(yield* settledUntil(() => shown().waiting === 3))
      yield* hold.release
      yield* Effect.all([held.answer, next.answer, other.answer])
      assert.deepEqual(shown(), { waiting: 0, awake: 2 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("count connects that wait for the backend, and sends that a full socket has taken (S147)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway
      const text = yield* MetricsText.make
      const shown = () => {
        const value = Exposition.read(text())
        return {
          open: value("sluice_connections"),
          connects: value("sluice_connects_waiting"),
          writes: value("sluice_writes_waiting")
        }
      }
      const one = yield* visit
      yield* visit
      assert.deepEqual(shown(), { open: 0, connects: 2, writes: 0 })
      yield* one.accept
      assert.deepEqual(shown(), { open: 1, connects: 1, writes: 0 })

      one.visitor.socket.pause()
      const say = gateway.send({
        to: { _tag: "Token", token: (yield* ScriptedBackend).asked[0] ?? "" },
        event: { name: undefined, data: large },
        close: false,
        service: undefined
      })
      yield* say
      assert.equal(shown().writes, 0)
      yield* say
      yield* say
      assert.equal(shown().writes, 2)
      one.visitor.socket.resume()
      assert.equal(shown().writes, 0)
    }).pipe(Effect.provide(layer()))
  )
})
