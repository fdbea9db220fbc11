import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Either, Redacted } from "effect"
import * as ServerConfig from "../../src/server/ServerConfig.ts"
import { settings } from "../../src/server/Settings.ts"

const nothing: ServerConfig.Given = { env: {}, flags: {}, insecure: false, isTerminal: false }

const made = (given: Partial<ServerConfig.Given>): ServerConfig.ServerConfig => {
  const config = ServerConfig.make({ ...nothing, ...given })
  return Either.isRight(config) ? config.right : assert.fail(config.left.message)
}

const refusal = (given: Partial<ServerConfig.Given>): ServerConfig.InvalidSetting => {
  const config = ServerConfig.make({ ...nothing, ...given })
  return Either.isLeft(config) ? config.left : assert.fail("it was accepted")
}

/** The table of the contract, §1: environment, flag, default. */
const contract: ReadonlyArray<readonly [env: string, flag: string | undefined, byDefault: string]> = [
  ["PORT", "port", "3000"],
  ["HOST", "host", "127.0.0.1"],
  ["CALLBACK_URL", "callback-url", "none"],
  ["CALLBACK_TIMEOUT_SECONDS", undefined, "5"],
  ["CALLBACK_SECRET", undefined, "none"],
  ["CALLBACK_SEND_SECRET", undefined, "false"],
  ["CALLBACK_HEADERS", undefined, "all"],
  ["CALLBACK_MESSAGES", undefined, "false"],
  ["SLUICE_GATEWAY_PATH", undefined, "/sse"],
  ["SLUICE_GATEWAY_PROFILE", undefined, "native"],
  ["HEARTBEAT_INTERVAL_SECONDS", "heartbeat", "15"],
  ["SLUICE_STORE", "store", "sqlite:sluice.db"],
  ["SLUICE_DURABILITY", "durability", "power"],
  ["SLUICE_API_KEY", undefined, "none"],
  ["SLUICE_CORS_ORIGINS", undefined, "none"],
  ["SLUICE_REPLAY_CAP", "replay-cap", "200"],
  ["SLUICE_SYNC_INTERVAL_SECONDS", undefined, "5"],
  ["SLUICE_STALL_SECONDS", undefined, "30"],
  ["SLUICE_RETAIN_EVENTS", undefined, "none"],
  ["SLUICE_RETAIN_SECONDS", undefined, "none"],
  ["SLUICE_MAX_EVENT_BYTES", undefined, "1048576"],
  ["SLUICE_MAX_CONNECTIONS", undefined, "50000"],
  ["SLUICE_MAX_STREAM_SECONDS", undefined, "900"],
  ["SLUICE_DRAIN_SECONDS", undefined, "10"],
  ["SLUICE_MAX_BODY_BYTES", undefined, "4194304"],
  ["SLUICE_LOG_LEVEL", undefined, "info"],
  ["SLUICE_LOG_FORMAT", undefined, "pretty on a terminal, else json"]
]

describe("the settings", () => {
  for (const [env, flag, byDefault] of contract) {
    it(`have ${env}${flag === undefined ? "" : ` and --${flag}`}, by default ${byDefault} (contract §1)`, () => {
      const found = Object.values(settings).flatMap((setting) =>
        setting.env === env ? [{ flag: "flag" in setting ? setting.flag : undefined, byDefault: setting.default }] : []
      )
      assert.deepEqual(found, [{ flag, byDefault }])
    })
  }

  it("have nothing that the contract does not have, and each says what it means and allows", () => {
    assert.deepEqual(
      Object.values(settings)
        .map(({ env }) => env)
        .sort(),
      contract.map(([env]) => env).sort()
    )
    for (const { allowed, meaning } of Object.values(settings)) assert.ok(allowed.length > 0 && meaning.length > 0)
  })

  it("read their default as shown, unless it is none or depends on the terminal", () => {
    for (const { default: shown, fallback, parse } of Object.values(settings)) {
      if (shown !== "none" && !shown.includes(" ")) assert.deepEqual(parse(shown), fallback)
    }
  })
})

describe("a configuration from nothing", () => {
  it("is the contract's, in the rooms that use it", () => {
    const config = made({})
    assert.deepEqual(config.store, { _tag: "Sqlite", filename: "sluice.db", durability: "power" })
    assert.deepEqual([config.session.retainEvents, config.session.retainFor], [undefined, undefined])
    assert.deepEqual(
      [config.connection.heartbeat, config.connection.stall, config.connection.maxAge].map(
        (of) => of && Duration.toSeconds(of)
      ),
      [15, 30, 900]
    )
    assert.deepEqual([config.connection.replayCap, config.connection.maxConnections], [200, 50_000])
    assert.deepEqual([config.connection.maxBatches, config.connection.maxBytes], [256, 1_048_576])
    assert.deepEqual([config.session.maxAppends, config.session.maxBytes], [1024, 8_388_608])
    assert.deepEqual(config.http, {
      apiKey: undefined,
      corsOrigins: [],
      isLoopback: true,
      maxEventBytes: 1_048_576,
      maxBodyBytes: 4_194_304
    })
    assert.deepEqual(config.listen, { host: "127.0.0.1", port: 3000, drain: Duration.seconds(10) })
    assert.deepEqual(config.callback, {
      url: undefined,
      timeout: Duration.seconds(5),
      secret: undefined,
      sendSecret: false
    })
    assert.deepEqual(
      [config.gateway.profile.name, config.gateway.prefix, config.gateway.headers],
      ["native", "/sse", "all"]
    )
    assert.deepEqual(config.log, { level: "info", format: "json" })
    assert.equal(made({ isTerminal: true }).log.format, "pretty")
  })

  it("is what empty values mean, too", () => {
    const env = Object.fromEntries(contract.map(([name]) => [name, ""]))
    assert.deepEqual(made({ env }), made({}))
  })

  it("is in memory and on a free port for tests, else the same", () => {
    const { inMemory } = ServerConfig
    const config = made({ env: { SLUICE_STORE: "memory:", PORT: "0", SLUICE_LOG_LEVEL: "warn" } })
    assert.deepEqual(config, inMemory)
  })
})

describe("a configuration", () => {
  it("takes flags before the environment", () => {
    const env = {
      PORT: "1",
      HOST: "::1",
      SLUICE_STORE: "memory:",
      SLUICE_DURABILITY: "process",
      HEARTBEAT_INTERVAL_SECONDS: "2"
    }
    const flags = { port: "0", host: "localhost", store: "sqlite:x.db", durability: "power", heartbeat: "3" }
    const config = made({ env, flags })
    assert.deepEqual([config.listen.port, config.listen.host], [0, "localhost"])
    assert.deepEqual(config.store, { _tag: "Sqlite", filename: "x.db", durability: "power" })
    assert.equal(Duration.toSeconds(config.connection.heartbeat), 3)
    assert.equal(refusal({ env, flags: { port: "x" } }).name, "PORT")
  })

  it("reads every variable of the contract", () => {
    const config = made({
      env: {
        PORT: "65535",
        CALLBACK_URL: "https://backend.example/cb?x=1",
        SLUICE_API_KEY: "k",
        SLUICE_CORS_ORIGINS: "https://a.example, http://localhost:5173",
        SLUICE_REPLAY_CAP: "5",
        SLUICE_STALL_SECONDS: "6",
        SLUICE_RETAIN_EVENTS: "7",
        SLUICE_RETAIN_SECONDS: "8",
        SLUICE_MAX_EVENT_BYTES: "9",
        SLUICE_MAX_CONNECTIONS: "10",
        SLUICE_MAX_STREAM_SECONDS: "11",
        SLUICE_DRAIN_SECONDS: "12",
        SLUICE_MAX_BODY_BYTES: "13",
        CALLBACK_TIMEOUT_SECONDS: "14",
        CALLBACK_SECRET: "s",
        CALLBACK_SEND_SECRET: "true",
        CALLBACK_HEADERS: "Cookie, x-user",
        SLUICE_GATEWAY_PATH: "/events/",
        SLUICE_GATEWAY_PROFILE: "ssegateway",
        CALLBACK_MESSAGES: "true",
        SLUICE_SYNC_INTERVAL_SECONDS: "15",
        SLUICE_LOG_LEVEL: "debug",
        SLUICE_LOG_FORMAT: "pretty"
      }
    })
    assert.equal(config.listen.port, 65_535)
    assert.equal(config.callback.url?.href, "https://backend.example/cb?x=1")
    assert.deepEqual(
      [config.callback.timeout, config.callback.sendSecret, config.gateway.headers, config.gateway.prefix],
      [Duration.seconds(14), true, ["cookie", "x-user"], "/events"]
    )
    assert.equal(config.callback.secret && Redacted.value(config.callback.secret), "s")
    assert.equal(config.gateway.profile.name, "ssegateway")
    assert.equal(config.session.messagesWait, false)
    assert.deepEqual(config.session.syncInterval, Duration.seconds(15))
    assert.equal(config.http.apiKey && Redacted.value(config.http.apiKey), "k")
    assert.deepEqual(config.http.corsOrigins, ["https://a.example", "http://localhost:5173"])
    assert.equal(config.connection.replayCap, 5)
    assert.deepEqual(
      [config.connection.stall, config.session.retainFor, config.connection.maxAge, config.listen.drain].map(
        (of) => of && Duration.toSeconds(of)
      ),
      [6, 8, 11, 12]
    )
    assert.deepEqual(
      [
        config.session.retainEvents,
        config.http.maxEventBytes,
        config.connection.maxConnections,
        config.http.maxBodyBytes
      ],
      [7, 9, 10, 13]
    )
    assert.deepEqual(config.log, { level: "debug", format: "pretty" })
  })

  it("lets a stream live for ever with SLUICE_MAX_STREAM_SECONDS=0", () => {
    const { maxAge } = made({ env: { SLUICE_MAX_STREAM_SECONDS: "0" } }).connection
    assert.ok(maxAge === undefined || !Duration.isFinite(maxAge))
  })
})

const wrongNumbers = ["x", "-1", "1.5", "1e3", " 1", "0x10", "99999999999999999999"]

const wrong: ReadonlyArray<readonly [env: string, values: ReadonlyArray<string>]> = [
  ["PORT", [...wrongNumbers, "99999", "65536"]],
  ["HOST", ["a b", "http://x", "a/b", "a,b"]],
  ["CALLBACK_URL", ["no url", "backend:3000", "ftp://backend.example", "//backend.example"]],
  ["CALLBACK_TIMEOUT_SECONDS", [...wrongNumbers, "0"]],
  ["CALLBACK_SECRET", ["two words", "naïve"]],
  ["CALLBACK_SEND_SECRET", ["yes", "1", "TRUE"]],
  ["CALLBACK_MESSAGES", ["yes", "1", "TRUE"]],
  ["CALLBACK_HEADERS", ["cookie,,x", "two words", "a:b"]],
  ["SLUICE_GATEWAY_PATH", ["sse", "https://x/sse", "/a b", "/a?b"]],
  ["SLUICE_GATEWAY_PROFILE", ["sidecar", "Native"]],
  ["HEARTBEAT_INTERVAL_SECONDS", [...wrongNumbers, "0"]],
  ["SLUICE_STORE", ["mysql:x", "sqlite:", "sqlite", "memory", "memory:x"]],
  ["SLUICE_DURABILITY", ["maybe", "Power"]],
  ["SLUICE_API_KEY", ["two words", "naïve"]],
  [
    "SLUICE_CORS_ORIGINS",
    ["app.example", "https://app.example/", "https://a.example,,https://b.example", "ftp://a.example"]
  ],
  ["SLUICE_REPLAY_CAP", [...wrongNumbers, "0"]],
  ["SLUICE_SYNC_INTERVAL_SECONDS", [...wrongNumbers, "0"]],
  ["SLUICE_STALL_SECONDS", [...wrongNumbers, "0"]],
  ["SLUICE_RETAIN_EVENTS", [...wrongNumbers, "0"]],
  ["SLUICE_RETAIN_SECONDS", [...wrongNumbers, "0"]],
  ["SLUICE_MAX_EVENT_BYTES", [...wrongNumbers, "0"]],
  ["SLUICE_MAX_CONNECTIONS", [...wrongNumbers, "0"]],
  ["SLUICE_MAX_STREAM_SECONDS", wrongNumbers],
  ["SLUICE_DRAIN_SECONDS", [...wrongNumbers, "0"]],
  ["SLUICE_MAX_BODY_BYTES", [...wrongNumbers, "0"]],
  ["SLUICE_LOG_LEVEL", ["loud", "INFO"]],
  ["SLUICE_LOG_FORMAT", ["xml"]]
]

describe("a bad value", () => {
  for (const [env, values] of wrong) {
    it(`of ${env} stops the start with one line: name, value, what is allowed (S151)`, () => {
      for (const value of values) {
        const error = refusal({ env: { [env]: value } })
        const allowed = Object.values(settings).find((setting) => setting.env === env)?.allowed
        assert.deepEqual(
          { name: error.name, value: error.value, allowed: error.allowed },
          { name: env, value: ["SLUICE_API_KEY", "CALLBACK_SECRET"].includes(env) ? "<redacted>" : value, allowed }
        )
        assert.equal(error.message, `${env}=${error.value} is not allowed: ${allowed}`)
      }
    })
  }

  it("has every setting of the table above, is cut when it is long, and is one line when it has several (S151)", () => {
    assert.deepEqual(wrong.map(([env]) => env).sort(), contract.map(([env]) => env).sort())
    const { message } = refusal({ env: { PORT: "9".repeat(10_000) } })
    assert.ok(message.length < 400)
    assert.equal(refusal({ env: { PORT: "1\n2" } }).message.split("\n").length, 1)
  })
})

describe("an address that is not loopback", () => {
  for (const host of ["0.0.0.0", "::", "192.168.1.1", "server.example", "127.0.0.1.evil.example"]) {
    it(`needs a key, or --insecure: ${host} (S153)`, () => {
      const error = refusal({ env: { HOST: host } })
      assert.deepEqual([error.name, error.value], ["HOST", host])
      assert.match(error.message, /SLUICE_API_KEY.*--insecure/)
      assert.equal(made({ flags: { host }, env: { SLUICE_API_KEY: "k" } }).http.isLoopback, false)
      assert.equal(made({ flags: { host }, insecure: true }).http.isLoopback, false)
    })
  }

  it("is none of localhost, ::1 and 127.x.y.z, which need no key (S153)", () => {
    for (const host of ["localhost", "::1", "127.0.0.1", "127.1.2.3"]) {
      assert.deepEqual(
        [made({ env: { HOST: host } }).http.isLoopback, made({ env: { HOST: host } }).listen.host],
        [true, host]
      )
    }
  })
})

describe("what is printed at start", () => {
  it("has a line for each setting with the value in force, and hides secrets (S152)", () => {
    const env = { PORT: "1", SLUICE_API_KEY: "top-secret", SLUICE_REPLAY_CAP: "" }
    const lines = ServerConfig.describe({ ...nothing, env, flags: { port: "2" } })
    assert.deepEqual(lines.map((line) => line.split("=")[0]).sort(), contract.map(([name]) => name).sort())
    assert.ok(lines.includes("PORT=2"))
    assert.ok(lines.includes("SLUICE_REPLAY_CAP=200"))
    assert.ok(lines.includes("SLUICE_API_KEY=<redacted>"))
    assert.ok(!lines.join().includes("top-secret"))
    assert.ok(ServerConfig.describe(nothing).includes("SLUICE_API_KEY=none"))
    assert.ok(!JSON.stringify(made({ env })).includes("top-secret"))
  })
})
