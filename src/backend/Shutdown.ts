import { Context, Deferred, Duration, Effect, FiberSet, Layer, type Scope } from "effect"

/** What happens in this phase, of each that registered, at the same time. */
type Phase = "prepare" | "wait" | "stop"

interface Step {
  readonly name: string
  readonly run: Effect.Effect<void, unknown>
}

export interface Options {
  /** What all waiters have together. */
  readonly budget: Duration.Duration
}

export const defaults: Options = { budget: Duration.seconds(10) }

/** A step that takes longer than this is left behind, so that none can hold up the stop. Waiters have the budget. */
const patience = Duration.seconds(2)

/**
 * The stop of the application in one order (design §9): prepare (new work is refused) → wait (what runs may end, with one budget
 * for all) → stop. A step that fails, dies or hangs is named in the log and stops nothing.
 */
export class Shutdown extends Context.Tag("sluice/backend/Shutdown")<
  Shutdown,
  {
    /** The stop has begun: refuse what is new. */
    readonly hasBegun: () => boolean
    /** Each until the scope closes. `name` is for the log. */
    readonly onPrepare: (name: string, run: Effect.Effect<void, unknown>) => Effect.Effect<void, never, Scope.Scope>
    readonly onWait: (name: string, run: Effect.Effect<void, unknown>) => Effect.Effect<void, never, Scope.Scope>
    readonly onStop: (name: string, run: Effect.Effect<void, unknown>) => Effect.Effect<void, never, Scope.Scope>
    /** Stops, once, also when its caller leaves; who calls it later waits for the same stop. Never fails. */
    readonly begin: Effect.Effect<void>
  }
>() {}

export const make = ({ budget }: Options = defaults) =>
  Effect.gen(function* () {
    const steps: Readonly<Record<Phase, Set<Step>>> = { prepare: new Set(), wait: new Set(), stop: new Set() }
    const done = yield* Deferred.make<void>()
    const fork = yield* FiberSet.makeRuntime<never>()
    let begun = false

    const on = (phase: Phase) => (name: string, run: Effect.Effect<void, unknown>) =>
      Effect.suspend(() => {
        const step: Step = { name, run }
        return Effect.acquireRelease(
          Effect.sync(() => void steps[phase].add(step)),
          () => Effect.sync(() => steps[phase].delete(step))
        )
      })

    const isolated = (phase: Phase, limit: Duration.Duration) => (step: Step) =>
      step.run.pipe(
        Effect.disconnect,
        Effect.timeoutFail({ duration: limit, onTimeout: () => `no end in ${Duration.format(limit)}` }),
        Effect.catchAllCause((cause) => Effect.logWarning(`shutdown: ${phase} of ${step.name} failed`, cause))
      )

    const run = (phase: Phase, limit: Duration.Duration) =>
      Effect.suspend(() =>
        Effect.forEach(Array.from(steps[phase]), isolated(phase, limit), { concurrency: "unbounded", discard: true })
      )

    const all = Effect.all([run("prepare", patience), run("wait", budget), run("stop", patience)], { discard: true })

    return Shutdown.of({
      hasBegun: () => begun,
      onPrepare: on("prepare"),
      onWait: on("wait"),
      onStop: on("stop"),
      begin: Effect.suspend(() => {
        if (!begun) {
          begun = true
          // Whoever waits for the stop must not wait for ever, when the scope ends in its middle.
          fork(Effect.ensuring(all, Deferred.succeed(done, undefined)))
        }
        return Deferred.await(done)
      })
    })
  })

export const layer = (options?: Options): Layer.Layer<Shutdown> => Layer.scoped(Shutdown, make(options))

/** Stops when it is released: before everything below it, so put it on top. */
export const onRelease: Layer.Layer<never, never, Shutdown> = Layer.scopedDiscard(
  Effect.flatMap(Shutdown, ({ begin }) => Effect.addFinalizer(() => begin))
)
