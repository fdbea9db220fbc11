import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as CallbackHandler from "../../src/backend/CallbackHandler.ts"
import * as ConnectionManager from "../../src/backend/ConnectionManager.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"

const connect = { action: "connect", token: "T1", request: { url: "/sse/x?request_id=R1", headers: {} } }

const rooms = (expiresIn: Duration.Duration) =>
  CallbackHandler.layer({ admit: () => Effect.succeed({ expiresIn }) }).pipe(
    Layer.provideMerge(ConnectionManager.layer()),
    Layer.provide(TestGateway.layer)
  )

describe("CallbackHandler", () => {
  it.scoped("tells the gateway when a connection ends", () =>
    Effect.gen(function* () {
      const { handle } = yield* CallbackHandler.CallbackHandler
      assert.deepEqual(yield* handle(connect), { request_id: "R1", expires_in: 1.5 })
    }).pipe(Effect.provide(rooms(Duration.millis(1500))))
  )

  it.scoped("refuses who has no time left, since the gateway would take none for no limit", () =>
    Effect.gen(function* () {
      const { handle } = yield* CallbackHandler.CallbackHandler
      const manager = yield* ConnectionManager.ConnectionManager
      const refused = yield* Effect.flip(handle(connect))
      assert.deepInclude(refused, { _tag: "ConnectRefused", status: 401 })
      assert.deepEqual(manager.all(), [])
    }).pipe(Effect.provide(rooms(Duration.subtract(Duration.seconds(1), Duration.seconds(2)))))
  )
})
