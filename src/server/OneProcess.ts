import { Duration, Effect, Layer } from "effect"
import * as Backend from "../backend/Backend.ts"
import * as LocalCallbacks from "../backend/LocalCallbacks.ts"
import * as Shutdown from "../backend/Shutdown.ts"
import { ConnectFlow } from "../gateway/ConnectFlow.ts"
import { Readiness } from "../http/Readiness.ts"
import type { RetainedStore } from "../store/RetainedStore.ts"
import * as Farewell from "./Farewell.ts"
import * as Server from "./Server.ts"
import type { ServerConfig } from "./ServerConfig.ts"

/** The stop of the application begins with the gateway, as it does when a signal stops that: nobody new is let in. */
const nobodyNew = Layer.scopedDiscard(
  Effect.flatMap(Effect.all([Shutdown.Shutdown, Readiness, ConnectFlow]), ([shutdown, readiness, flow]) =>
    shutdown.onPrepare("gateway", Effect.zipRight(readiness.drain, flow.drain))
  )
)

export interface Options<E, R> extends Backend.Options {
  /** Of the application's half, which has a store of its own: what the server retains is the server's. */
  readonly retained: Layer.Layer<RetainedStore, E, R>
}

/** Half of the time of the server's own stop, unless it is said otherwise. */
const budget = ({ listen }: ServerConfig) => ({ budget: Duration.times(listen.drain, 0.5) })

/** The application above a server whose callbacks it hears. */
const above = <E, R>(config: ServerConfig, { retained, ...options }: Options<E, R>) =>
  LocalCallbacks.attached.pipe(
    Layer.provideMerge(
      Layer.provide(Backend.layer({ shutdown: budget(config), ...options }, nobodyNew), Layer.fresh(retained))
    )
  )

const callbacks = ({ callback }: ServerConfig) => LocalCallbacks.layer({ timeout: callback.timeout })

/**
 * Both halves of the gateway in one process: callbacks and sends are calls. `application` has all services of both; what it does in
 * the stop (`Shutdown`) belongs there, and not above this layer.
 */
export const layer = <E, R, E1 = never, R1 = never>(
  config: ServerConfig,
  options: Options<E, R>,
  // `empty` needs and fails with nothing, which every E1 and R1 allows.
  application: Layer.Layer<never, E1, R1> = Layer.empty as Layer.Layer<never, E1, R1>
) =>
  Layer.fresh(
    // Its own layer of this name stands below the application.
    Layer.fresh(Shutdown.onRelease).pipe(
      Layer.provideMerge(application),
      Layer.provideMerge(above(config, options)),
      Layer.provideMerge(Server.layerWithCallbacks(config)),
      Layer.provide(Server.store(config.store)),
      Layer.provide(callbacks(config))
    )
  )

/** The same without a port of its own: beside the `routes` of an application, which may need all services of both halves. */
export const serve = <E, R, E1, R1>(config: ServerConfig, options: Options<E, R>, routes: Layer.Layer<never, E1, R1>) =>
  Layer.fresh(
    // Requests are answered until both halves have stopped: the application first. Its own layer of this name stands below.
    Layer.fresh(Shutdown.onRelease).pipe(
      Layer.provideMerge(Farewell.onRelease(config.listen.drain)),
      Layer.provideMerge(Server.served(config, routes)),
      Layer.provideMerge(above(config, options)),
      Layer.provideMerge(Server.unserved(config)),
      Layer.provide(Server.store(config.store)),
      Layer.provide(callbacks(config))
    )
  )
