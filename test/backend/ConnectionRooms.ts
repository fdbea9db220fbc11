import { Context, Duration, Effect, ExecutionStrategy, Exit, Layer, Scope } from "effect"
import * as ConnectionManager from "../../src/backend/ConnectionManager.ts"
import { InvalidRequest } from "../../src/domain/SessionError.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"

export const patience = Duration.seconds(5)

/** What the gateway says of an event that it never takes. */
export const refused = Effect.suspend(() => new InvalidRequest({ field: "event.name", allowed: "must be another one" }))

/** A `ConnectionManager` alone over a scripted gateway, until the scope closes, or `close`. */
export const make = (options?: ConnectionManager.Options) =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const layer = ConnectionManager.layer(options).pipe(Layer.provideMerge(TestGateway.layer))
    const context = yield* Layer.buildWithScope(layer, scope)
    const manager = Context.get(context, ConnectionManager.ConnectionManager)
    return {
      manager,
      gateway: Context.get(context, TestGateway.TestGateway),
      connect: (requestId: string, token = requestId, subject?: string) =>
        Effect.zipRight(manager.connected({ requestId, token, url: "/x", subject }), settled),
      close: Scope.close(scope, Exit.void)
    } as const
  })

export type Rooms = Effect.Effect.Success<ReturnType<typeof make>>
