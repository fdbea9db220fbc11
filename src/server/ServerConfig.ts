import { Data, Duration, Either, Redacted } from "effect"
import * as ConnectionRegistry from "../connection/ConnectionRegistry.ts"
import type * as HttpCallbacks from "../callback/HttpCallbacks.ts"
import type * as GatewayRoutes from "../http/GatewayRoutes.ts"
import type * as Listener from "../http/Listener.ts"
import * as Profile from "../gateway/Profile.ts"
import { ssegateway } from "../gateway/SsegatewayProfile.ts"
import type * as RequestBodies from "../http/RequestBodies.ts"
import * as Processes from "../session/worker/Processes.ts"
import * as SessionRegistry from "../session/SessionRegistry.ts"
import * as StoreWriter from "../store/StoreWriter.ts"
import type * as HttpListening from "./Listening.ts"
import { type Setting, settings } from "./Settings.ts"

export type StoreConfig =
  | { readonly _tag: "Sqlite"; readonly filename: string; readonly durability: "power" | "process" }
  | { readonly _tag: "Memory" }

/** The configuration of a server: one field per room. */
export interface ServerConfig {
  readonly store: StoreConfig
  readonly writer: StoreWriter.Options
  readonly session: SessionRegistry.Options
  readonly process: Processes.Options
  readonly connection: ConnectionRegistry.Options
  /** Without a `url` the gateway refuses every connect; sessions work. */
  readonly callback: Omit<HttpCallbacks.Options, "url"> & { readonly url: URL | undefined }
  readonly gateway: GatewayRoutes.Options
  readonly http: Omit<Listener.Options, "gateway"> & RequestBodies.Options
  readonly listen: HttpListening.Options
  readonly log: {
    readonly level: "trace" | "debug" | "info" | "warning" | "error" | "none"
    readonly format: "pretty" | "json"
  }
  /** Values that were not allowed and have the default instead, each a line for the operator. */
  readonly problems: ReadonlyArray<string>
}

const profiles: Readonly<Record<Profile.Profile["name"], Profile.Profile>> = { native: Profile.native, ssegateway }

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
        .replace(/^(https?:[^?]*)\?.*$/, "$1?<redacted>")
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
    const profile = profiles[yield* read(settings.gatewayProfile)]
    // The older sidecar starts with 15 when it cannot read the interval; its operators may rely on that.
    const heartbeat = read(settings.heartbeat)
    if (Either.isLeft(heartbeat) && profile.name === "native") return yield* Either.left(heartbeat.left)
    const url = yield* read(settings.callbackUrl)
    const callbackMessages = yield* read(settings.callbackMessages)
    if (callbackMessages && url === undefined) {
      const { allowed, env } = settings.callbackMessages
      return yield* Either.left(new InvalidSetting({ name: env, value: "true", allowed }))
    }
    const secret = yield* read(settings.callbackSecret)
    const store = yield* read(settings.store)
    const durability = yield* read(settings.durability)
    return {
      store: store._tag === "Sqlite" ? { ...store, durability } : store,
      writer: StoreWriter.defaults,
      session: {
        ...SessionRegistry.defaults,
        retainEvents: yield* read(settings.retainEvents),
        retainFor: yield* read(settings.retainSeconds),
        syncInterval: yield* read(settings.syncInterval),
        messagesWait: !callbackMessages
      },
      process: Processes.defaults,
      connection: {
        ...ConnectionRegistry.defaults,
        heartbeat: Either.getOrElse(heartbeat, () => settings.heartbeat.fallback),
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
      callback: {
        url,
        timeout: yield* read(settings.callbackTimeout),
        secret: secret === undefined ? undefined : Redacted.make(secret),
        sendSecret: yield* read(settings.callbackSendSecret)
      },
      gateway: {
        profile,
        prefix: yield* read(settings.gatewayPath),
        headers: yield* read(settings.callbackHeaders)
      },
      listen: { host, port: yield* read(settings.port), drain: yield* read(settings.drain) },
      log: {
        level: yield* read(settings.logLevel),
        format: (yield* read(settings.logFormat)) ?? (given.isTerminal ? "pretty" : "json")
      },
      problems: Either.isLeft(heartbeat) ? [`${heartbeat.left.message}; it is ${settings.heartbeat.default} now`] : []
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
  writer: StoreWriter.defaults,
  session: SessionRegistry.defaults,
  process: Processes.defaults,
  connection: ConnectionRegistry.defaults,
  http: {
    apiKey: undefined,
    corsOrigins: [],
    isLoopback: true,
    maxEventBytes: settings.maxEventBytes.fallback,
    maxBodyBytes: settings.maxBodyBytes.fallback
  },
  callback: { url: undefined, timeout: settings.callbackTimeout.fallback, secret: undefined, sendSecret: false },
  gateway: { profile: Profile.native, prefix: settings.gatewayPath.fallback, headers: "all" },
  listen: { host: "127.0.0.1", port: 0, drain: Duration.seconds(10) },
  log: { level: "warning", format: "json" },
  problems: []
}
