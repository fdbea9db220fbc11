import { Effect, type Scope } from "effect"
import type * as ServerConfig from "../../src/server/ServerConfig.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"

type Engine = readonly [name: string, store: Effect.Effect<ServerConfig.StoreConfig, never, Scope.Scope>]

/** On a data file that goes with the scope: a server that starts on it later finds what an earlier one stored. */
export const sqlite = Effect.map(
  TemporaryFile.make,
  (filename): ServerConfig.StoreConfig => ({ _tag: "Sqlite", filename, durability: "process" })
)

/** For sentences that hold on each store. */
export const engines: ReadonlyArray<Engine> = [
  ["memory", Effect.succeed({ _tag: "Memory" })],
  ["sqlite", sqlite]
]
