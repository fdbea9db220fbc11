import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, FastCheck, FiberId, Layer, Logger, TestClock, TestContext } from "effect"
import { TaskProgress } from "../../src/backend/Tasks.ts"
import { StoreError } from "../../src/domain/SessionError.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"
import * as FaultyRetained from "./FaultyRetained.ts"

/** How the work of a task takes an interruption. */
type Kind = "gentle" | "stubborn" | "slow" | "breaking"

type Step =
  | { readonly _tag: "Begin"; readonly kind: Kind }
  | { readonly _tag: "Progress"; readonly which: number; readonly value: number }
  | { readonly _tag: "Complete" | "Fail" | "Die" | "Interrupt" | "Cancel"; readonly which: number }
  | { readonly _tag: "Store"; readonly fault: "none" | "refuses" | "dies" | "hangs" | "slow" }
  | { readonly _tag: "Wait"; readonly millis: number }
  | { readonly _tag: "Stop" | "Settle" }

const tag = <T extends string>(...tags: readonly [T, ...ReadonlyArray<T>]) => FastCheck.constantFrom(...tags)
const which = FastCheck.nat(2)
const kind = tag<Kind>("gentle", "stubborn", "slow", "breaking")

const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  {
    weight: 1,
    arbitrary: FastCheck.record({
      _tag: tag("Begin" as const),
      kind
    })
  },
  {
    weight: 4,
    arbitrary: FastCheck.record({
      _tag: tag("Progress" as const),
      which,
      value: FastCheck.double({ min: -0.2, max: 1.2 })
    })
  },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      _tag: tag("Complete" as const, "Fail" as const, "Die" as const, "Interrupt" as const, "Cancel" as const),
      which
    })
  },
  {
    weight: 1,
    arbitrary: FastCheck.record({
      _tag: tag("Store" as const),
      fault: tag("none" as const, "refuses" as const, "dies" as const, "hangs" as const, "slow" as const)
    })
  },
  {
    weight: 4,
    arbitrary: FastCheck.record({ _tag: tag("Wait" as const), millis: FastCheck.constantFrom(1, 100, 250, 1000) })
  },
  { weight: 1, arbitrary: FastCheck.record({ _tag: tag("Stop" as const, "Settle" as const, "Settle" as const) }) }
)

interface Work {
  readonly exit: Deferred.Deferred<void, string>
  progress: typeof TaskProgress.Service | undefined
  id: string | undefined
}

const faults = {
  none: Effect.void,
  refuses: Effect.suspend(() => new StoreError({ reason: "Full", cause: "test" })),
  dies: Effect.die("broken"),
  hangs: Effect.never,
  slow: Effect.repeatN(Effect.yieldNow(), 3)
}

const liveThrough = (kinds: ReadonlyArray<Kind>, steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const store = yield* FaultyRetained.make
    const rooms = yield* BackendRooms.make({ store: store.service, tasks: { lease: Duration.seconds(3) } })
    yield* rooms.connect("R1")
    const works: Array<Work> = []
    let isStopped = false

    const body = (work: Work, kind: Kind): Effect.Effect<void, string, TaskProgress> => {
      const awaited = Deferred.await(work.exit)
      const lived = {
        gentle: awaited,
        stubborn: Effect.uninterruptible(awaited),
        slow: Effect.onInterrupt(awaited, () => Effect.sleep("700 millis")),
        breaking: Effect.onInterrupt(awaited, () => Effect.die("while it was cleaned up"))
      }
      return Effect.zipRight(
        Effect.map(TaskProgress, (progress) => {
          work.progress = progress
        }),
        lived[kind]
      )
    }

    const end = (which: number, exit: Exit.Exit<void, string>) =>
      Effect.suspend(() => {
        const work = works[which]
        return work === undefined ? Effect.void : Deferred.done(work.exit, exit)
      })

    const happen = (what: Step): Effect.Effect<unknown, unknown> => {
      switch (what._tag) {
        case "Begin":
          return Effect.gen(function* () {
            const work: Work = { exit: yield* Deferred.make<void, string>(), progress: undefined, id: undefined }
            works.push(work)
            const task = yield* rooms.tasks.run("x", body(work, what.kind))
            work.id = task.id
          })
        case "Progress":
          return Effect.suspend(() => works[what.which]?.progress?.report(what.value) ?? Effect.void)
        case "Complete":
          return end(what.which, Exit.void)
        case "Fail":
          return end(what.which, Exit.fail("broken"))
        case "Die":
          return end(what.which, Exit.die("broken"))
        case "Interrupt":
          return end(what.which, Exit.interrupt(FiberId.none))
        case "Cancel":
          return Effect.suspend(() => rooms.tasks.cancel(works[what.which]?.id ?? ""))
        case "Store":
          return Effect.sync(() => {
            store.control.fault = faults[what.fault]
          })
        case "Stop":
          return Effect.suspend(() => {
            isStopped = true
            return rooms.shutdown.begin
          })
        case "Settle":
          return settled
        case "Wait":
          return TestClock.adjust(what.millis)
      }
    }

    for (const kind of kinds) yield* happen({ _tag: "Begin", kind })
    yield* settled
    for (const what of steps) {
      const waits = what._tag === "Settle" || what._tag === "Wait"
      yield* waits ? happen(what) : Effect.zipRight(Effect.fork(Effect.ignore(happen(what))), Effect.yieldNow())
    }
    yield* settled
    if (!isStopped) yield* Effect.fork(rooms.shutdown.begin)
    for (const wait of [10, 2, 2, 2]) yield* TestClock.adjust(`${wait} seconds`)
    yield* settled

    const byId = new Map<string, Array<{ readonly status: unknown; readonly progress: number }>>()
    for (const { data } of rooms.told("R1", "task")) {
      const events = byId.get(String(data["id"])) ?? []
      byId.set(String(data["id"]), [...events, { status: data["status"], progress: Number(data["progress"]) }])
    }
    for (const { id } of works) if (id !== undefined) assert.isTrue(byId.has(id), "nobody heard of a task that began")
    for (const [id, events] of byId) {
      const [first, ...rest] = events
      const last = rest.at(-1)
      assert.deepEqual(first, { status: "running", progress: 0 })
      assert.deepEqual(
        rest.map(({ status }) => status === "running"),
        rest.map((_, index) => index < rest.length - 1),
        "one end, and nothing after it"
      )
      const progress = events.map((event) => event.progress)
      assert.deepEqual(
        progress,
        Array.from(progress).sort((a, b) => a - b),
        "progress went back"
      )
      assert.isTrue(progress.every((value) => value >= 0 && value <= 1))
      assert.equal((yield* rooms.tasks.status(id)).status, last?.status)
    }
    assert.deepEqual(rooms.tasks.running(), [])
    yield* rooms.tasks.idle
  })

const quiet = Layer.merge(TestContext.TestContext, Logger.remove(Logger.defaultLogger))

describe("whatever happens to tasks at once", () => {
  it.live("each has exactly one end, its progress never goes back, and nothing follows the end (S136)", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(
          FastCheck.array(kind, { maxLength: 3 }),
          FastCheck.array(step, { minLength: 5, maxLength: 25 }),
          (kinds, steps) => Effect.runPromise(liveThrough(kinds, steps).pipe(Effect.scoped, Effect.provide(quiet)))
        ),
        { numRuns: 15 }
      )
    )
  )
})
