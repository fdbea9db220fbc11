import { parseArgs } from "node:util"
import { Cause, Effect, Either, Logger, LogLevel } from "effect"
import * as Listening from "../server/Listening.ts"
import * as Server from "../server/Server.ts"
import * as ServerConfig from "../server/ServerConfig.ts"

const flags = {
  port: { type: "string" },
  host: { type: "string" },
  store: { type: "string" },
  durability: { type: "string" },
  heartbeat: { type: "string" },
  "replay-cap": { type: "string" },
  "callback-url": { type: "string" },
  insecure: { type: "boolean" }
} as const

export const run = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const { values } = parseArgs({ args: [...args], options: flags })
    const { insecure, ...rest } = values
    const config = ServerConfig.make({
      env: process.env,
      flags: rest,
      insecure: insecure === true,
      isTerminal: process.stdout.isTTY === true
    })
    if (Either.isLeft(config)) {
      console.error(config.left.message)
      return 1
    }
    const layer = Server.layer(config.right)
    return yield* Effect.gen(function* () {
      const { url } = yield* Listening.Listening
      console.log(`listening on ${url}`)
      return yield* Effect.never
    }).pipe(
      Effect.provide(layer),
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : Effect.sync(() => {
              console.error(Cause.pretty(cause))
              return 2
            })
      ),
      Effect.provide(config.right.log.format === "json" ? Logger.json : Logger.pretty),
      Logger.withMinimumLogLevel(LogLevel.fromLiteral("Info"))
    )
  })
