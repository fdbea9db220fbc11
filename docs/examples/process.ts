import { type FSWatcher, watch } from "node:fs"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Data, Effect, Mailbox, Schema } from "effect"
import { type Event, Session } from "sluice"
import { Listening, type Process, Processes, Server, ServerConfig } from "sluice/server"

const config: ServerConfig.ServerConfig = {
  ...ServerConfig.inMemory,
  store: { _tag: "Sqlite", filename: "changes.db", durability: "power" }
}

/** The log has its message, in `message_failed`. */
class NotWatched extends Data.TaggedError("NotWatched")<{ readonly message: string }> {}

/** Each message names a folder, from which it tells of changes until it is interrupted. */
const changes = Effect.gen(function* () {
  // Bounded: what a flood of changes has to say beyond it, it has said already.
  const output = yield* Mailbox.make<Event.NewEvent>({ capacity: 1000, strategy: "dropping" })
  const watchers = new Map<string, FSWatcher>()
  const tell = (name: string, data: object) => output.unsafeOffer({ name, data: JSON.stringify(data) })

  const begin = (folder: string) =>
    Effect.try({
      try: () => {
        if (watchers.has(folder)) return
        const watcher = watch(folder, (_, file) => tell("changed", { folder, file }))
        watcher.on("error", (error) => tell("lost", { folder, problem: error.message }))
        watchers.set(folder, watcher)
        tell("watching", { folder })
      },
      catch: (error) => new NotWatched({ message: error instanceof Error ? error.message : String(error) })
    })
  const end = (folder: string) =>
    Effect.sync(() => {
      watchers.get(folder)?.close()
      watchers.delete(folder)
    })

  // However it ends, nothing is left behind.
  yield* Effect.addFinalizer(() => Effect.forEach(watchers.keys(), end, { discard: true }))

  return {
    title: "tells of changes",
    output: Mailbox.toStream(output),
    send: ({ data }) => Effect.flatMap(Schema.decodeUnknown(Schema.String)(data), begin),
    subTasks: Effect.sync(() => Array.from(watchers.keys(), (name) => ({ name, stop: end(name) }))),
    interrupt: Effect.sync(() => tell("idle", { watching: watchers.size })),
    stop: Effect.zipRight(output.end, Effect.ignore(output.await))
  } satisfies Process.Process
})

const program = Effect.gen(function* () {
  const { url } = yield* Listening.Listening
  const processes = yield* Processes.Processes
  // Resumable: at the end of this server its session is DETACHED, and the next one attaches another process.
  yield* processes.attach(Session.SessionId.make("changes"), changes, { isResumable: true })
  yield* Console.log(`curl ${url}/v1/sessions/changes/messages -d '{"id":"1","data":"."}'`)
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.provide(program, Server.layer(config)))
