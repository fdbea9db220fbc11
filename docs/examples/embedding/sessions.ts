import { Effect, Layer, Stream } from "effect"
import { ReplayPlan, Session } from "sluice"
import { LogStream, MemoryStore, SessionRegistry, StoreWriter } from "sluice/server"

/** Sessions without HTTP: the registry of their actors, over the writer, over a store. */
export const layer = SessionRegistry.layer().pipe(Layer.provide(StoreWriter.layer()), Layer.provide(MemoryStore.layer))

const build = Session.SessionId.make("build-7")

/** What is there and what is committed later, until the session ends. */
const lines = LogStream.make(build, ReplayPlan.start).pipe(
  Stream.filterMap(LogStream.event),
  Stream.map(({ data, name, seq }) => `${seq} ${name} ${data}`),
  Stream.runCollect
)

const producer = Effect.gen(function* () {
  const sessions = yield* SessionRegistry.SessionRegistry
  yield* sessions.append(build, { events: [{ name: "log", data: "compiling" }] })
  yield* sessions.append(build, { events: [{ name: "log", data: "done" }] })
  yield* sessions.move(build, "ENDED", "built")
})

export const program = Effect.map(Effect.all([lines, producer], { concurrency: 2 }), ([told]) => Array.from(told))
