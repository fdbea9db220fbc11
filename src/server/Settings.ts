import { Duration } from "effect"

/** One line of the table that operators see (contract §1). `parse` is undefined for a value that is not allowed. */
export interface Setting<A> {
  readonly env: string
  readonly flag?: string
  /** As shown; `fallback` is the same, read. */
  readonly default: string
  readonly fallback: A
  readonly allowed: string
  readonly meaning: string
  readonly parse: (text: string) => A | undefined
  readonly isSecret?: boolean
}

const whole =
  (min: number, max: number) =>
  (text: string): number | undefined => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? value : undefined
  }

const seconds =
  (min: number, max: number) =>
  (text: string): Duration.Duration | undefined => {
    const value = whole(min, max)(text)
    return value === undefined ? undefined : Duration.seconds(value)
  }

const oneOf =
  <const Values extends ReadonlyArray<string>>(...values: Values) =>
  (text: string): Values[number] | undefined =>
    values.find((value) => value === text)

const url = (text: string): URL | undefined => {
  if (!URL.canParse(text)) return undefined
  const parsed = new URL(text)
  return parsed.protocol === "http:" || parsed.protocol === "https:" ? parsed : undefined
}

const store = (text: string): { _tag: "Sqlite"; filename: string } | { _tag: "Memory" } | undefined => {
  if (text === "memory:") return { _tag: "Memory" }
  return text.startsWith("sqlite:") && text.length > "sqlite:".length
    ? { _tag: "Sqlite", filename: text.slice("sqlite:".length) }
    : undefined
}

/** What a header can hold. */
const visible = (text: string): string | undefined => (/^[\x21-\x7e]+$/.test(text) ? text : undefined)

const yesOrNo = (text: string): boolean | undefined => (text === "true" ? true : text === "false" ? false : undefined)

const upTo = (max: number, min = 1) => `a whole number from ${min} to ${max}`
const day = 86_400
const none = undefined

const setting = <A>(value: Setting<A>): Setting<A> => value
type Maybe<A> = A | undefined

/** Every setting of `sluice serve`: environment, flag, default, what is allowed, meaning. */
export const settings = {
  port: setting<number>({
    env: "PORT",
    flag: "port",
    default: "3000",
    fallback: 3000,
    allowed: "1 to 65535, or 0 for any free port",
    meaning: "port to listen on",
    parse: whole(0, 65_535)
  }),
  host: setting<string>({
    env: "HOST",
    flag: "host",
    default: "127.0.0.1",
    fallback: "127.0.0.1",
    allowed: "a host name or address",
    meaning: "address to listen on; not loopback: needs a key",
    parse: (text) => (/^[A-Za-z0-9.:_-]+$/.test(text) ? text : undefined)
  }),
  store: setting({
    env: "SLUICE_STORE",
    flag: "store",
    default: "sqlite:sluice.db",
    fallback: { _tag: "Sqlite", filename: "sluice.db" },
    allowed: "sqlite:PATH or memory:",
    meaning: "where sessions are stored",
    parse: store
  }),
  durability: setting<"power" | "process">({
    env: "SLUICE_DURABILITY",
    flag: "durability",
    default: "power",
    fallback: "power",
    allowed: "power or process",
    meaning: "what an acknowledged event survives: a power cut, or a crash of the process only",
    parse: oneOf("power", "process")
  }),
  heartbeat: setting({
    env: "HEARTBEAT_INTERVAL_SECONDS",
    flag: "heartbeat",
    default: "15",
    fallback: Duration.seconds(15),
    allowed: upTo(day),
    meaning: "seconds of silence before a heartbeat",
    parse: seconds(1, day)
  }),
  replayCap: setting<number>({
    env: "SLUICE_REPLAY_CAP",
    flag: "replay-cap",
    default: "200",
    fallback: 200,
    allowed: upTo(1_000_000_000),
    meaning: "events that one connect replays per session",
    parse: whole(1, 1_000_000_000)
  }),
  syncInterval: setting({
    env: "SLUICE_SYNC_INTERVAL_SECONDS",
    default: "5",
    fallback: Duration.seconds(5),
    allowed: upTo(day),
    meaning: "seconds between two looks for streams that fell behind unnoticed",
    parse: seconds(1, day)
  }),
  stall: setting({
    env: "SLUICE_STALL_SECONDS",
    default: "30",
    fallback: Duration.seconds(30),
    allowed: upTo(day),
    meaning: "a socket that takes no byte for so long is closed",
    parse: seconds(1, day)
  }),
  maxStream: setting<Maybe<Duration.Duration>>({
    env: "SLUICE_MAX_STREAM_SECONDS",
    default: "900",
    fallback: Duration.seconds(900),
    allowed: `${upTo(30 * day)}, or 0 for no limit`,
    meaning: "a stream ends at this age, jittered by 20 %, and its reader comes back; 0 = never",
    parse: (text) => (text === "0" ? Duration.infinity : seconds(1, 30 * day)(text))
  }),
  retainEvents: setting<Maybe<number>>({
    env: "SLUICE_RETAIN_EVENTS",
    default: "none",
    fallback: none,
    allowed: upTo(1_000_000_000),
    meaning: "events kept per session, oldest go first",
    parse: whole(1, 1_000_000_000)
  }),
  retainSeconds: setting<Maybe<Duration.Duration>>({
    env: "SLUICE_RETAIN_SECONDS",
    default: "none",
    fallback: none,
    allowed: upTo(3650 * day),
    meaning: "seconds that an event is kept",
    parse: seconds(1, 3650 * day)
  }),
  maxEventBytes: setting<number>({
    env: "SLUICE_MAX_EVENT_BYTES",
    default: "1048576",
    fallback: 1_048_576,
    allowed: upTo(67_108_864),
    meaning: "bytes of the data of one event",
    parse: whole(1, 67_108_864)
  }),
  maxBodyBytes: setting<number>({
    env: "SLUICE_MAX_BODY_BYTES",
    default: "4194304",
    fallback: 4_194_304,
    allowed: upTo(268_435_456),
    meaning: "bytes of a request body",
    parse: whole(1, 268_435_456)
  }),
  maxConnections: setting<number>({
    env: "SLUICE_MAX_CONNECTIONS",
    default: "50000",
    fallback: 50_000,
    allowed: upTo(1_000_000),
    meaning: "open streams",
    parse: whole(1, 1_000_000)
  }),
  drain: setting({
    env: "SLUICE_DRAIN_SECONDS",
    default: "10",
    fallback: Duration.seconds(10),
    allowed: upTo(3600),
    meaning: "seconds to stop in after SIGTERM",
    parse: seconds(1, 3600)
  }),
  apiKey: setting<Maybe<string>>({
    env: "SLUICE_API_KEY",
    default: "none",
    fallback: none,
    allowed: "visible ASCII characters, without a space",
    meaning: "key that /v1 asks for",
    parse: visible,
    isSecret: true
  }),
  corsOrigins: setting<ReadonlyArray<string>>({
    env: "SLUICE_CORS_ORIGINS",
    default: "none",
    fallback: [],
    allowed: "a comma list of origins, or *",
    meaning: "origins whose pages may call",
    parse: (text) => {
      const list = text.split(",").map((part) => part.trim())
      return list.every((part) => part === "*" || url(part)?.origin === part) ? list : undefined
    }
  }),
  callbackUrl: setting<Maybe<URL>>({
    env: "CALLBACK_URL",
    flag: "callback-url",
    default: "none",
    fallback: none,
    allowed: "an http or https URL",
    meaning: "backend callback; without it /readyz is not ready unless asked for sessions",
    parse: url
  }),
  callbackTimeout: setting({
    env: "CALLBACK_TIMEOUT_SECONDS",
    default: "5",
    fallback: Duration.seconds(5),
    allowed: upTo(300),
    meaning: "seconds that the backend has for a whole answer",
    parse: seconds(1, 300)
  }),
  callbackSecret: setting<Maybe<string>>({
    env: "CALLBACK_SECRET",
    default: "none",
    fallback: none,
    allowed: "visible ASCII characters, without a space",
    meaning: "signs callbacks",
    parse: visible,
    isSecret: true
  }),
  callbackSendSecret: setting<boolean>({
    env: "CALLBACK_SEND_SECRET",
    default: "false",
    fallback: false,
    allowed: "true or false",
    meaning: "sends the secret itself too, for old backends",
    parse: yesOrNo
  }),
  callbackHeaders: setting<"all" | ReadonlyArray<string>>({
    env: "CALLBACK_HEADERS",
    default: "all",
    fallback: "all",
    allowed: "all, or a comma list of header names",
    meaning: "request headers that the backend is told",
    parse: (text) => {
      if (text === "all") return "all"
      const list = text.split(",").map((part) => part.trim().toLowerCase())
      return list.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) ? list : undefined
    }
  }),
  callbackMessages: setting<boolean>({
    env: "CALLBACK_MESSAGES",
    default: "false",
    fallback: false,
    allowed: "true or false; true needs CALLBACK_URL",
    meaning: "messages to sessions go to the backend",
    parse: yesOrNo
  }),
  gatewayPath: setting<string>({
    env: "SLUICE_GATEWAY_PATH",
    default: "/sse",
    fallback: "/sse",
    allowed: "a path that begins with /",
    meaning: "streams below it are asked for at the backend; / takes every path without another route",
    parse: (text) => (/^\/[\x21-\x3e\x40-\x7e]*$/.test(text) ? text.replace(/\/+$/, "") : undefined)
  }),
  gatewayProfile: setting<"native" | "ssegateway">({
    env: "SLUICE_GATEWAY_PROFILE",
    default: "native",
    fallback: "native",
    allowed: "native or ssegateway",
    meaning: "ssegateway: byte-compatible with the older sidecar",
    parse: oneOf("native", "ssegateway")
  }),
  logLevel: setting<"trace" | "debug" | "info" | "warning" | "error" | "none">({
    env: "SLUICE_LOG_LEVEL",
    default: "info",
    fallback: "info",
    allowed: "trace, debug, info, warning, error or none",
    meaning: "least level that is logged",
    parse: (text) => oneOf("trace", "debug", "info", "warning", "error", "none")(text === "warn" ? "warning" : text)
  }),
  logFormat: setting<Maybe<"pretty" | "json">>({
    env: "SLUICE_LOG_FORMAT",
    default: "pretty on a terminal, else json",
    fallback: none,
    allowed: "pretty or json",
    meaning: "how it is logged",
    parse: oneOf("pretty", "json")
  })
} as const
