import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
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
import * as Listening from "./Listening.ts"
import type { ServerConfig, StoreConfig } from "./ServerConfig.ts"

const store = (config: StoreConfig) =>
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
const gateway = ({ callback, connection, gateway: { profile } }: ServerConfig) =>
  ConnectFlow.layer({ profile, isConfigured: callback.url !== undefined, ...connection }).pipe(
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

/** Everything above the store, for a store of one's own. */
export const layerWithStore = (config: ServerConfig) => {
  const http = { ...config.http, gateway: config.gateway }
  return Listening.layer(config.listen).pipe(
    Layer.provide(Listener.layer(http)),
    Layer.provide(routes(http)),
    Layer.provide(RequestBodies.layer(http)),
    Layer.provideMerge(Readiness.layer({ isConfigured: config.callback.url !== undefined, ...config.gateway })),
    Layer.provideMerge(gateway(config)),
    Layer.provideMerge(Retained.layer(config.gateway.profile)),
    Layer.provideMerge(ConnectionRegistry.layer(config.connection)),
    Layer.provideMerge(sessions(config)),
    Layer.provide(callbacks(config.callback)),
    Layer.provide(StoreWriter.layer(config.writer))
  )
}

/** The whole server. Read it from the top: each line needs only lines below it. Its release is the graceful stop. */
export const layer = (config: ServerConfig) => layerWithStore(config).pipe(Layer.provide(store(config.store)))
