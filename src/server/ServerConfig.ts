import { Data, Duration, Either, Redacted } from "effect"
import * as ConnectionRegistry from "../connection/ConnectionRegistry.ts"
import type * as Listener from "../http/Listener.ts"
import type * as Readiness from "../http/Readiness.ts"
import * as SessionRegistry from "../session/SessionRegistry.ts"
import type * as HttpListening from "./Listening.ts"
import { type Setting, settings } from "./Settings.ts"

export type StoreConfig =
  | { readonly _tag: "Sqlite"; readonly filename: string; readonly durability: "power" | "process" }
  | { readonly _tag: "Memory" }

/** The configuration of a server: one field per room. */
export interface ServerConfig {
  readonly store: StoreConfig
  readonly session: SessionRegistry.Options
  readonly connection: ConnectionRegistry.Options
  readonly http: Listener.Options
  readonly readiness: Readiness.Options
  readonly listen: HttpListening.Options
  readonly log: {
    readonly level: "trace" | "debug" | "info" | "warning" | "error" | "none"
    readonly format: "pretty" | "json"
  }
}

/** A value that a setting does not allow. Its message is the one line that an operator sees. */
export class InvalidSetting extends Data.TaggedError("InvalidSetting")<{
  readonly name: string
  readonly value: string
  readonly allowed: string
}> {
  override get message(): string {
    return `${this.name}=${this.value} is not allowed: ${this.allowed}`
  }
}

/** Where a server is started: its environment, and what its flags set. Flags decide before the environment. */
export interface Given {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags: Readonly<Record<string, string | undefined>>
  /** `--insecure`: listen on any address without a key. */
  readonly insecure: boolean
  /** Standard output is a terminal: pretty logs. */
  readonly isTerminal: boolean
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host)

const textOf = <A>(setting: Setting<A>, given: Given): string | undefined =>
  (setting.flag === undefined ? undefined : given.flags[setting.flag]) ?? given.env[setting.env]

/** On one line, without secrets: those of a setting, and those that stand in a URL. */
const shown = (setting: Setting<unknown>, text: string): string =>
  setting.isSecret
    ? "<redacted>"
    : text
        .slice(0, 200)
        .replace(/\/\/[^/@]*@/, "//<redacted>@")
        .replace(/\p{Cc}/gu, (control) => encodeURIComponent(control))

export const make = (given: Given): Either.Either<ServerConfig, InvalidSetting> =>
  Either.gen(function* () {
    const read = <A>(setting: Setting<A>): Either.Either<A, InvalidSetting> => {
      const text = textOf(setting, given)
      if (text === undefined || text === "") return Either.right(setting.fallback)
      const value = setting.parse(text)
      if (value !== undefined) return Either.right(value)
      return Either.left(
        new InvalidSetting({ name: setting.env, value: shown(setting, text), allowed: setting.allowed })
      )
    }
    const host = yield* read(settings.host)
    const apiKey = yield* read(settings.apiKey)
    if (!isLoopback(host) && apiKey === undefined && !given.insecure) {
      const allowed = "an address that is not loopback needs SLUICE_API_KEY, or --insecure"
      return yield* Either.left(new InvalidSetting({ name: "HOST", value: host, allowed }))
    }
    const store = yield* read(settings.store)
    const durability = yield* read(settings.durability)
    return {
      store: store._tag === "Sqlite" ? { ...store, durability } : store,
      session: {
        ...SessionRegistry.defaults,
        retainEvents: yield* read(settings.retainEvents),
        retainFor: yield* read(settings.retainSeconds)
      },
      connection: {
        ...ConnectionRegistry.defaults,
        heartbeat: yield* read(settings.heartbeat),
        stall: yield* read(settings.stall),
        maxAge: yield* read(settings.maxStream),
        replayCap: yield* read(settings.replayCap),
        maxConnections: yield* read(settings.maxConnections)
      },
      http: {
        apiKey: apiKey === undefined ? undefined : Redacted.make(apiKey),
        corsOrigins: yield* read(settings.corsOrigins),
        isLoopback: isLoopback(host),
        maxEventBytes: yield* read(settings.maxEventBytes),
        maxBodyBytes: yield* read(settings.maxBodyBytes)
      },
      readiness: { callbackUrl: yield* read(settings.callbackUrl) },
      listen: { host, port: yield* read(settings.port), drain: yield* read(settings.drain) },
      log: {
        level: yield* read(settings.logLevel),
        format: (yield* read(settings.logFormat)) ?? (given.isTerminal ? "pretty" : "json")
      }
    }
  })

/** Each setting with the value in force, secrets hidden: what `serve` prints at start. */
export const describe = (given: Given): ReadonlyArray<string> =>
  Object.values(settings).map((setting: Setting<unknown>) => {
    const text = textOf(setting, given)
    const value = text === undefined || text === "" ? setting.default : shown(setting, text)
    return `${setting.env}=${value}`
  })

/** What tests and embedders start from: everything by default, on any free port, in memory. */
export const inMemory: ServerConfig = {
  store: { _tag: "Memory" },
  session: SessionRegistry.defaults,
  connection: ConnectionRegistry.defaults,
  http: {
    apiKey: undefined,
    corsOrigins: [],
    isLoopback: true,
    maxEventBytes: settings.maxEventBytes.fallback,
    maxBodyBytes: settings.maxBodyBytes.fallback
  },
  readiness: { callbackUrl: undefined },
  listen: { host: "127.0.0.1", port: 0, drain: Duration.seconds(10) },
  log: { level: "warning", format: "json" }
}
