import { Context, Effect, Layer } from "effect"
import { Listening } from "../server/Listening.ts"
import * as Server from "../server/Server.ts"
import * as ServerConfig from "../server/ServerConfig.ts"
import * as MemoryConnectionJournal from "../store/memory/MemoryConnectionJournal.ts"
import * as MemoryRetainedStore from "../store/memory/MemoryRetainedStore.ts"

/** A real server on a free port, until its layer closes: requests reach it over sockets, so its tests need real time. */
export class TestServer extends Context.Tag("sluice/testing/TestServer")<TestServer, { readonly url: string }>() {}

/** What a test wants otherwise, room by room. */
export type Overrides = {
  readonly [Room in Exclude<keyof ServerConfig.ServerConfig, "problems">]?: Room extends "store"
    ? ServerConfig.StoreConfig
    : Partial<ServerConfig.ServerConfig[Room]>
}

/** `ServerConfig.inMemory` with `overrides`. */
export const config = (overrides: Overrides = {}): ServerConfig.ServerConfig => {
  const { inMemory } = ServerConfig
  return {
    store: overrides.store ?? inMemory.store,
    writer: { ...inMemory.writer, ...overrides.writer },
    session: { ...inMemory.session, ...overrides.session },
    process: { ...inMemory.process, ...overrides.process },
    connection: { ...inMemory.connection, ...overrides.connection },
    http: { ...inMemory.http, ...overrides.http },
    callback: { ...inMemory.callback, ...overrides.callback },
    gateway: { ...inMemory.gateway, ...overrides.gateway },
    listen: { ...inMemory.listen, ...overrides.listen },
    log: { ...inMemory.log, ...overrides.log },
    problems: []
  }
}

const fromListening = Layer.effect(
  TestServer,
  Effect.map(Listening, ({ url }) => TestServer.of({ url }))
)

/** In memory unless `overrides.store` says otherwise. */
export const layer = (overrides?: Overrides) => Layer.provide(fromListening, Server.layer(config(overrides)))

/** The same over an `EventStore` of one's own; its journal of connections and its retained events are in memory. */
export const layerWithStore = (overrides?: Overrides) =>
  Layer.provide(
    fromListening,
    Layer.provide(
      Server.layerWithStore(config(overrides)),
      Layer.merge(MemoryConnectionJournal.layer, MemoryRetainedStore.layer)
    )
  )

/** `layer` for a test that starts and stops servers itself: each lives as long as the scope that it is made in. */
export const make = (overrides?: Overrides) =>
  Effect.map(Layer.build(layer(overrides)), (context) => Context.get(context, TestServer))
