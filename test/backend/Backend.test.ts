import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import * as ConnectionManager from "../../src/backend/ConnectionManager.ts"
import * as Relearning from "../../src/backend/Relearning.ts"
import * as Shutdown from "../../src/backend/Shutdown.ts"
import { GatewayUnavailable } from "../../src/domain/GatewayError.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"

describe("Backend", () => {
  it.scoped("tells a connection its version first and the snapshot second", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.connect("R1")
      assert.deepEqual(
        rooms.told("R1").map(({ name }) => name),
        ["version", "snapshot"]
      )
    })
  )

  it.scoped("tells everybody who is open at its start what a connect is told (S142)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make({
        open: [
          { token: "T1", requestId: "R1" },
          { token: "T2", requestId: "R2" }
        ]
      })
      for (const token of ["T1", "T2"]) {
        assert.deepEqual(
          rooms.told(token).map(({ name }) => name),
          ["version", "snapshot"]
        )
      }
    })
  )

  it.scoped("tells a task that its stop cancels before the connections are closed (S138)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.connect("R1")
      yield* rooms.tasks.run("build", Effect.never)
      const closed = yield* Effect.fork(rooms.close)
      yield* TestClock.adjust("9999 millis")
      assert.lengthOf(rooms.told("R1", "task"), 1)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closed)
      assert.deepEqual(
        rooms.told("R1", "task").map(({ data }) => data["status"]),
        ["running", "cancelled"]
      )
      assert.isTrue(
        rooms.gateway.calls().every(({ close }) => !close),
        "the streams are the gateway's"
      )
    })
  )

  it.scoped(
    "is closed in its time also when work, a connection and the fetch of a version hang uninterruptibly (S138)",
    () =>
      Effect.gen(function* () {
        const stuck = Effect.uninterruptible(Effect.never)
        const rooms = yield* BackendRooms.make({ versions: { current: stuck } })
        yield* rooms.tasks.run("build", stuck)
        rooms.gateway.fate("R1", stuck)
        yield* rooms.connect("R1")
        const closed = yield* Effect.fork(rooms.close)
        yield* TestClock.adjust("10 seconds")
        yield* TestClock.adjust("2 seconds")
        yield* TestClock.adjust("1 second")
        assert.isNotNull(closed.unsafePoll())
      })
  )
})

describe("what an application adds to it", () => {
  it.scoped("hears of connections that were open before the start, and has its steps in the stop (S138, S142)", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const hears = (what: string) => Effect.sync(() => void heard.push(what))
      const gateway = yield* Layer.build(TestGateway.layer)
      Context.get(gateway, TestGateway.TestGateway).isOpen([{ token: "T1", requestId: "R1" }])
      const application = Layer.scopedDiscard(
        Effect.gen(function* () {
          const manager = yield* ConnectionManager.ConnectionManager
          const shutdown = yield* Shutdown.Shutdown
          yield* Effect.sleep("1 second")
          yield* manager.observe("own", ({ requestId }) => hears(requestId))
          yield* shutdown.onPrepare("own", hears("prepare"))
          yield* shutdown.onWait("own", hears("wait"))
          yield* shutdown.onStop("own", hears("stop"))
        })
      )
      const layer = Backend.layer({ versions: { current: Effect.succeed({ version: "1" }) } }, application).pipe(
        Layer.provide([Layer.succeedContext(gateway), MemoryRetainedStore.layer])
      )
      const scope = yield* Scope.make()
      const built = yield* Effect.fork(Layer.buildWithScope(layer, scope))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(built)
      yield* settled
      assert.deepEqual(heard, ["R1"])
      yield* Scope.close(scope, Exit.void)
      assert.deepEqual(heard, ["R1", "prepare", "wait", "stop"])
    })
  )
})

describe("Relearning", () => {
  it.scoped("asks a gateway again that is not there yet, and holds up no start meanwhile (S142)", () =>
    Effect.gen(function* () {
      const test = yield* Layer.build(TestGateway.layer)
      let asked = 0
      const open = Effect.suspend(() => {
        asked += 1
        return asked < 4
          ? Effect.fail(new GatewayUnavailable({ problem: "not yet" }))
          : Effect.succeed([{ token: "T1", requestId: "R1" }])
      })
      const gateway = Layer.succeed(Gateway, Gateway.of({ ...Context.get(test, Gateway), open }))
      const context = yield* Layer.build(
        Relearning.layer.pipe(Layer.provideMerge(ConnectionManager.layer()), Layer.provide(gateway))
      )
      const manager = Context.get(context, ConnectionManager.ConnectionManager)
      yield* settled
      assert.deepEqual(manager.all(), [])
      yield* TestClock.adjust("10 seconds")
      assert.equal(asked, 4)
      assert.equal(manager.all()[0]?.requestId, "R1")
      yield* TestClock.adjust("1 minute")
      assert.equal(asked, 4)
    })
  )
})
