import { Effect, Layer, Schedule } from "effect"
import { Tasks } from "sluice/backend"

const report = Effect.gen(function* () {
  const progress = yield* Tasks.TaskProgress
  yield* progress.report(0.5, "half of it")
  yield* Effect.sleep("1 minute")
})

/** An application: a report each night, whose progress is told to whoever is connected. One that cannot begin is logged. */
export const layer = Layer.scopedDiscard(
  Effect.flatMap(Tasks.Tasks, (tasks) =>
    Effect.forkScoped(
      Effect.schedule(Effect.ignoreLogged(tasks.run("nightly report", report)), Schedule.spaced("24 hours"))
    )
  )
)
