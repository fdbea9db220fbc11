import { Effect, Layer } from "effect"
import * as Backend from "../backend/Backend.ts"
import * as LocalCallbacks from "../backend/LocalCallbacks.ts"
import { Shutdown } from "../backend/Shutdown.ts"
import { Readiness } from "../http/Readiness.ts"
import type { RetainedStore } from "../store/RetainedStore.ts"
import * as Server from "./Server.ts"
import type { ServerConfig } from "./ServerConfig.ts"

/** The stop of the application begins with the gateway, as it does when a signal stops that. */
const notReady = Layer.scopedDiscard(
  Effect.flatMap(Effect.all([Shutdown, Readiness]), ([shutdown, readiness]) =>
    shutdown.onPrepare("readiness", readiness.drain)
  )
)

type Retained<E, R> = Layer.Layer<RetainedStore, E, R>

/** The application above a server whose callbacks it hears. */
const above = <E, R>(options: Backend.Options, retained: Retained<E, R>) =>
  Layer.merge(LocalCallbacks.attached, notReady).pipe(
    Layer.provideMerge(Layer.provide(Backend.layer(options), Layer.fresh(retained)))
  )

const callbacks = ({ callback }: ServerConfig) => LocalCallbacks.layer({ timeout: callback.timeout })

/**
 * Both halves of the gateway in one process: callbacks and sends are calls. `options` and `retained` are of the application's
 * half, which has a store of its own: what the server retains is the server's.
 */
export const layer = <E, R>(config: ServerConfig, options: Backend.Options, retained: Retained<E, R>) =>
  above(options, retained).pipe(
    Layer.provideMerge(Server.layerWithCallbacks(config)),
    Layer.provide(Server.store(config.store)),
    Layer.provide(callbacks(config))
  )

/** The same without a port of its own: in the application's `HttpLayerRouter`. */
export const mounted = <E, R>(config: ServerConfig, options: Backend.Options, retained: Retained<E, R>) =>
  above(options, retained).pipe(
    Layer.provideMerge(Server.mountedWithCallbacks(config)),
    Layer.provide(Server.store(config.store)),
    Layer.provide(callbacks(config))
  )
