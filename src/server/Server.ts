import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Layer } from "effect"
import * as ConnectionRegistry from "../connection/ConnectionRegistry.ts"
import { api } from "../domain/Api.ts"
import * as ConnectionRoutes from "../http/ConnectionRoutes.ts"
import * as Listener from "../http/Listener.ts"
import * as OperationsRoutes from "../http/OperationsRoutes.ts"
import * as PlatformErrors from "../http/PlatformErrors.ts"
import * as Readiness from "../http/Readiness.ts"
import * as SessionRoutes from "../http/SessionRoutes.ts"
import * as SessionRegistry from "../session/SessionRegistry.ts"
import * as MemoryStore from "../store/memory/MemoryStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import * as StoreWriter from "../store/StoreWriter.ts"
import * as Listening from "./Listening.ts"
import type { ServerConfig, StoreConfig } from "./ServerConfig.ts"

const store = (config: StoreConfig) => (config._tag === "Memory" ? MemoryStore.layer : SqliteStore.layer(config))

const routes = (options: Listener.Options) =>
  HttpApiBuilder.api(api).pipe(
    Layer.provide([SessionRoutes.layer, ConnectionRoutes.layer(options), OperationsRoutes.layer]),
    Layer.merge(PlatformErrors.layer),
    Layer.provideMerge(Layer.merge(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer))
  )

/** Everything above the store, for a store of one's own. */
export const layerWithStore = (config: ServerConfig) =>
  Listening.layer(config.listen).pipe(
    Layer.provide(Listener.layer(config.http)),
    Layer.provide(routes(config.http)),
    Layer.provideMerge(Readiness.layer(config.readiness)),
    Layer.provideMerge(ConnectionRegistry.layer(config.connection)),
    Layer.provideMerge(SessionRegistry.layer(config.session)),
    Layer.provide(StoreWriter.layer())
  )

/** The whole server. Read it from the top: each line needs only lines below it. Its release is the graceful stop. */
export const layer = (config: ServerConfig) => layerWithStore(config).pipe(Layer.provide(store(config.store)))
