import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Session } from "sluice"
import { Listening, Server, ServerConfig, SessionRegistry } from "sluice/server"

const config: ServerConfig.ServerConfig = {
  ...ServerConfig.inMemory,
  store: { _tag: "Sqlite", filename: "jobs.db", durability: "power" }
}

const program = Effect.gen(function* () {
  const { url } = yield* Listening.Listening
  const sessions = yield* SessionRegistry.SessionRegistry
  const jobs = Session.SessionId.make("jobs")
  const { head } = yield* sessions.append(jobs, { events: [{ name: "log", data: "from inside" }] })
  yield* Console.log(`event ${head} is durable: curl -N '${url}/v1/sessions/jobs/stream?from=start'`)
  return yield* Effect.never
})

// The layer closes when the process is interrupted: streams are told goodbye, then the store is closed.
NodeRuntime.runMain(Effect.provide(program, Server.layer(config)))
