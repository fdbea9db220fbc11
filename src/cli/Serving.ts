import { setFlagsFromString } from "node:v8"
import { Effect, type Layer, Logger, LogLevel } from "effect"
import * as Listening from "../server/Listening.ts"
import * as Server from "../server/Server.ts"
import * as ServerConfig from "../server/ServerConfig.ts"
import { type Setting, settings } from "../server/Settings.ts"
import { CommandError, failed } from "./CommandError.ts"
import * as NextSteps from "./NextSteps.ts"
import * as StandardOutput from "./StandardOutput.ts"

const table = Object.values<Setting<unknown>>(settings)

const row = ({ default: value, env, flag, meaning }: Setting<unknown>): string =>
  `  ${(flag === undefined ? "" : `--${flag}`).padEnd(15)} ${env.padEnd(28)} ${meaning} (${value})`

export const usage = `${table.map(row).join("\n")}
  --insecure                                   listen on any address without a key`

const text = { type: "string" } as const

/** The flags of every command that serves. */
export const flags = {
  port: text,
  host: text,
  store: text,
  durability: text,
  heartbeat: text,
  "replay-cap": text,
  "callback-url": text,
  insecure: { type: "boolean", default: false }
} as const

type Flags = { readonly [Name in Exclude<keyof typeof flags, "insecure">]?: string | undefined } & {
  readonly insecure: boolean
}

const levels = {
  trace: LogLevel.Trace,
  debug: LogLevel.Debug,
  info: LogLevel.Info,
  warning: LogLevel.Warning,
  error: LogLevel.Error,
  none: LogLevel.None
} as const

/** To standard error: standard output has only what the command itself says. */
const logger = ({ format, level }: ServerConfig.ServerConfig["log"]) => {
  const chosen = format === "json" ? Logger.withConsoleError(Logger.jsonLogger) : Logger.prettyLogger({ stderr: true })
  return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(Logger.withMinimumLogLevel(levels[level]), Effect.provide(Logger.replace(Logger.defaultLogger, chosen)))
}

/** Who started us and does not listen still wants the server. */
export const say = (lines: ReadonlyArray<string>) => Effect.ignore(StandardOutput.write(`${lines.join("\n")}\n`))

/**
 * A thousand streams that open teach V8 that requests live long: it then makes those of the producers in the old space,
 * where each holds all that is young around it. Without that belief the collector takes half the time (480 to 270 ms of
 * 2 s at 1,000 sessions).
 */
setFlagsFromString("--no-allocation-site-pretenuring")

/**
 * Serves until it is interrupted, and then as long as its graceful stop takes. `session`: what the next steps are shown for.
 * `begin` comes before the server is announced; what it gives is done while it serves.
 */
export const run = (
  { insecure, ...flags }: Flags,
  session: string,
  begin: Effect.Effect<Effect.Effect<void>, CommandError, Layer.Layer.Success<ReturnType<typeof Server.layer>>>
) =>
  Effect.gen(function* () {
    const given = { env: process.env, flags, insecure, isTerminal: process.stderr.isTTY === true }
    const config = yield* Effect.mapError(ServerConfig.make(given), ({ message }) => failed(message))

    const announce = Effect.gen(function* () {
      const { url } = yield* Listening.Listening
      const lines = [`listening on ${url}`, ...NextSteps.lines(url, session, config.http.apiKey !== undefined)]
      yield* say(lines)
    })
    yield* say(ServerConfig.describe(given))
    yield* logger(config.log)(Effect.forEach(config.problems, (problem) => Effect.logError(problem), { discard: true }))
    return yield* begin.pipe(
      Effect.flatMap((whileServing) => Effect.zipRight(announce, whileServing)),
      Effect.zipRight(Effect.never),
      Effect.provide(Server.layer(config)),
      logger(config.log)
    )
  }).pipe(
    Effect.catchTags({
      StoreOpenError: ({ message }) => Effect.fail(new CommandError({ line: message, exitCode: 2 })),
      StoreError: ({ reason }) =>
        Effect.fail(new CommandError({ line: `the store does not answer (${reason})`, exitCode: 2 })),
      ListenError: ({ message }) => Effect.fail(failed(message))
    })
  )
