import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import { Effect, Layer } from "effect"
import * as Callbacks from "../callback/Callbacks.ts"
import * as DisconnectOutbox from "../callback/DisconnectOutbox.ts"
import * as HttpCallbacks from "../callback/HttpCallbacks.ts"
import * as MessageDelivery from "../callback/MessageDelivery.ts"
import * as ConnectionRegistry from "../connection/ConnectionRegistry.ts"
import { api } from "../domain/Api.ts"
import * as ConnectFlow from "../gateway/ConnectFlow.ts"
import * as GatewayConnections from "../gateway/GatewayConnections.ts"
import * as LocalGateway from "../gateway/LocalGateway.ts"
import * as Retained from "../gateway/Retained.ts"
import * as ConnectionRoutes from "../http/ConnectionRoutes.ts"
import * as DeadLetterRoutes from "../http/DeadLetterRoutes.ts"
import * as Listener from "../http/Listener.ts"
import * as Mount from "../http/Mount.ts"
import * as OperationsRoutes from "../http/OperationsRoutes.ts"
import * as PlatformErrors from "../http/PlatformErrors.ts"
import * as Readiness from "../http/Readiness.ts"
import * as RequestBodies from "../http/RequestBodies.ts"
import * as RetainedRoutes from "../http/RetainedRoutes.ts"
import * as SessionLifeRoutes from "../http/SessionLifeRoutes.ts"
import * as SessionRoutes from "../http/SessionRoutes.ts"
import * as MessageForwarding from "../session/inbox/MessageForwarding.ts"
import * as Messages from "../session/inbox/Messages.ts"
import * as Processes from "../session/worker/Processes.ts"
import * as SessionRecovery from "../session/SessionRecovery.ts"
import * as SessionRegistry from "../session/SessionRegistry.ts"
import * as JournalWriter from "../store/JournalWriter.ts"
import * as MemoryConnectionJournal from "../store/memory/MemoryConnectionJournal.ts"
import * as MemoryRetainedStore from "../store/memory/MemoryRetainedStore.ts"
import * as MemoryStore from "../store/memory/MemoryStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import * as StoreWriter from "../store/StoreWriter.ts"
import * as Farewell from "./Farewell.ts"
import * as Listening from "./Listening.ts"
import type { ServerConfig, StoreConfig } from "./ServerConfig.ts"

/** The stores of a configuration: events, the journal of connections, retained events. */
export const store = (config: StoreConfig) =>
  config._tag === "Memory"
    ? Layer.mergeAll(MemoryStore.layer, MemoryConnectionJournal.layer, MemoryRetainedStore.layer)
    : SqliteStore.layer(config)

const callbacks = ({ url, ...options }: ServerConfig["callback"]) =>
  url === undefined ? Callbacks.unconfigured : HttpCallbacks.layer({ ...options, url })

const routes = (options: Listener.Options) =>
  HttpApiBuilder.api(api).pipe(
    Layer.provide([
      SessionRoutes.layer,
      SessionLifeRoutes.layer(options),
      ConnectionRoutes.layer(options),
      RetainedRoutes.layer(options),
      DeadLetterRoutes.layer,
      OperationsRoutes.layer
    ]),
    Layer.merge(PlatformErrors.layer),
    Layer.provideMerge(Layer.merge(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer))
  )

/** Who is asked about connects, and hears of every end. */
const gateway = ({ connection, gateway: { profile } }: ServerConfig, isConfigured: boolean) =>
  ConnectFlow.layer({ profile, isConfigured, ...connection }).pipe(
    Layer.merge(LocalGateway.layer(profile)),
    Layer.provideMerge(GatewayConnections.layer),
    Layer.provideMerge(DisconnectOutbox.layer()),
    Layer.provide(JournalWriter.layer)
  )

/** Messages wait for a process, or go to the backend. */
const messages = ({ session }: ServerConfig) =>
  session.messagesWait
    ? Messages.layer
    : Layer.unwrapEffect(
        Effect.map(MessageDelivery.make, (deliver) =>
          MessageForwarding.layer((session, message) => deliver({ session, ...message }))
        )
      )

/** Who works for sessions. What a crash left is moved on before anything else is. */
const sessions = (config: ServerConfig) =>
  Processes.layer(config.process).pipe(
    Layer.provide(SessionRecovery.layer),
    Layer.provideMerge(messages(config)),
    Layer.provideMerge(SessionRegistry.layer(config.session))
  )

/** `isConfigured`: there is a backend behind `Callbacks`. */
const over = (config: ServerConfig, isConfigured: boolean) =>
  gateway(config, isConfigured).pipe(
    Layer.provideMerge(Retained.layer(config.gateway.profile)),
    Layer.provideMerge(ConnectionRegistry.layer(config.connection)),
    Layer.provideMerge(sessions(config)),
    Layer.provideMerge(StoreWriter.layer(config.writer))
  )

const isConfigured = ({ callback }: ServerConfig): boolean => callback.url !== undefined

/** Everything between the ports (stores, and what carries callbacks) and HTTP. */
export const rooms = (config: ServerConfig) =>
  over(config, isConfigured(config)).pipe(Layer.provide(callbacks(config.callback)))

/** What answers requests, wherever they come from. */
const listener = (config: ServerConfig, hasBackend: boolean) => {
  const http = { ...config.http, gateway: config.gateway }
  return Listener.layer(http).pipe(
    Layer.provide(routes(http)),
    Layer.provide(RequestBodies.layer(http)),
    Layer.provideMerge(Readiness.layer({ isConfigured: hasBackend, ...config.gateway })),
    Layer.provideMerge(over(config, hasBackend))
  )
}

/** Everything above the stores and `Callbacks`, for a backend of one's own, such as one in this process. */
export const layerWithCallbacks = (config: ServerConfig) =>
  Listening.layer(config.listen).pipe(Layer.provideMerge(listener(config, true)))

/** Everything above the stores, for stores of one's own. */
export const layerWithStore = (config: ServerConfig) =>
  Listening.layer(config.listen).pipe(
    Layer.provideMerge(listener(config, isConfigured(config))),
    Layer.provide(callbacks(config.callback))
  )

/** The whole server. Read it from the top: each line needs only lines below it. Its release is the graceful stop. */
export const layer = (config: ServerConfig) =>
  Layer.fresh(layerWithStore(config).pipe(Layer.provide(store(config.store))))

/** The rooms and their listener, for whoever hands it requests; above the stores and `Callbacks`. */
export const unserved = (config: ServerConfig) => listener(config, true)

/** This server's routes and those of an application on one `HttpServer`. The platform's log of requests has their queries. */
export const served = <E, R>(config: ServerConfig, routes: Layer.Layer<never, E, R>) =>
  HttpLayerRouter.serve(Layer.merge(Mount.layer(config.gateway), routes), {
    disableLogger: true,
    disableListenLog: true
  })

/**
 * The same without a port of its own: beside the `routes` of an application, in its `HttpLayerRouter`, which it serves on the
 * `HttpServer` below. Released, it says goodbye to its streams while requests are still answered.
 */
export const serve = <E, R>(config: ServerConfig, routes: Layer.Layer<never, E, R>) =>
  Layer.fresh(
    Farewell.onRelease(config.listen.drain).pipe(
      Layer.provideMerge(served(config, routes)),
      Layer.provideMerge(listener(config, isConfigured(config))),
      Layer.provide(callbacks(config.callback)),
      Layer.provide(store(config.store))
    )
  )
