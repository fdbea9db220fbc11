import { Duration, Effect, Layer } from "effect"
import { DisconnectOutbox } from "../callback/DisconnectOutbox.ts"
import { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import { ConnectFlow } from "../gateway/ConnectFlow.ts"
import { GatewayConnections } from "../gateway/GatewayConnections.ts"
import { Readiness } from "../http/Readiness.ts"
import { Processes } from "../session/worker/Processes.ts"

/**
 * The end of a server's streams: not ready; the end of every process, which its watchers still see, within `patience`; goodbye to
 * every stream; then the backend hears of each end. What it does not hear in time stays in the journal.
 */
export const say = (patience: Duration.Duration) =>
  Effect.gen(function* () {
    const connections = yield* ConnectionRegistry
    const flow = yield* ConnectFlow
    const gateway = yield* GatewayConnections
    const outbox = yield* DisconnectOutbox
    const processes = yield* Processes
    const readiness = yield* Readiness
    yield* readiness.drain
    yield* Effect.all([Effect.timeoutOption(processes.drain, patience), flow.drain], { concurrency: 2 })
    yield* connections.drain
    yield* gateway.settled
    yield* outbox.drain
  })

/** Said on release, for at most `limit`. */
export const onRelease = (limit: Duration.Duration) =>
  Layer.scopedDiscard(
    Effect.acquireRelease(
      Effect.context<
        ConnectionRegistry | ConnectFlow | DisconnectOutbox | GatewayConnections | Processes | Readiness
      >(),
      (context) =>
        say(Duration.times(limit, 0.7)).pipe(Effect.interruptible, Effect.timeoutOption(limit), Effect.provide(context))
    )
  )
