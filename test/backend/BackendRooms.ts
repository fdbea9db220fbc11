import { Context, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import * as Backend from "../../src/backend/Backend.ts"
import { CallbackHandler } from "../../src/backend/CallbackHandler.ts"
import { ConnectionManager } from "../../src/backend/ConnectionManager.ts"
import { Feed } from "../../src/backend/Feed.ts"
import { Shutdown } from "../../src/backend/Shutdown.ts"
import { Tasks } from "../../src/backend/Tasks.ts"
import { Versions } from "../../src/backend/Versions.ts"
import type { OpenConnection } from "../../src/gateway/Gateway.ts"
import { RetainedStore } from "../../src/store/RetainedStore.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"

export interface Options extends Partial<Backend.Options> {
  readonly store?: typeof RetainedStore.Service
  /** What the gateway says is open when the application starts. */
  readonly open?: ReadonlyArray<OpenConnection>
}

/** An event as a connection got it; `data` read. */
export interface Told {
  readonly name: string | undefined
  readonly data: { readonly [key: string]: unknown }
}

/** The application's services over a scripted gateway, until the scope closes, or `close`. */
export const make = ({
  open = [],
  store,
  versions = { current: Effect.succeed({ version: "current" }) },
  ...rest
}: Options = {}) =>
  Effect.gen(function* () {
    const below = yield* Layer.build(TestGateway.layer)
    const gateway = Context.get(below, TestGateway.TestGateway)
    gateway.isOpen(open)
    const retained = store ?? (yield* MemoryRetainedStore.make)
    const scope = yield* Scope.make()
    const context = yield* Backend.layer({ versions, ...rest }).pipe(
      Layer.provide(Layer.succeedContext(Context.add(below, RetainedStore, retained))),
      Layer.buildWithScope(scope)
    )
    const tasks = Context.get(context, Tasks)
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
        // What a test has left running is waited for, by the clock.
        yield* settled
        while (closing.unsafePoll() === null) yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(closing)
      })
    )
    const manager = Context.get(context, ConnectionManager)

    const connect = (requestId: string, token = requestId, subject?: string) =>
      Effect.zipRight(manager.connected({ requestId, token, url: `/x?request_id=${requestId}`, subject }), settled)

    /** Of one name, in the order in which the gateway took them. */
    const told = (token: string, name?: string): ReadonlyArray<Told> =>
      gateway
        .events(token)
        .filter((event) => name === undefined || event.name === name)
        .map((event) => ({ name: event.name, data: JSON.parse(event.data) }))

    yield* settled
    return {
      context,
      gateway,
      manager,
      connect,
      told,
      feed: Context.get(context, Feed),
      handler: Context.get(context, CallbackHandler),
      shutdown: Context.get(context, Shutdown),
      tasks,
      versions: Context.get(context, Versions),
      close: Scope.close(scope, Exit.void)
    }
  })

export type Rooms = Effect.Effect.Success<ReturnType<typeof make>>
