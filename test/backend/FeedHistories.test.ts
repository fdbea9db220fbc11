import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FastCheck, Layer, Logger, Option, TestClock, TestContext } from "effect"
import { TaskProgress } from "../../src/backend/Tasks.ts"
import { RetainedKey } from "../../src/domain/RetainedEvent.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"
import * as FaultyRetained from "./FaultyRetained.ts"
import { assertWhole, type Frame, framesOf } from "./FeedFrames.ts"

type Step =
  | { readonly _tag: "Retain"; readonly key: string; readonly value: number }
  | { readonly _tag: "Release"; readonly key: string }
  | { readonly _tag: "Connect"; readonly id: string }
  | { readonly _tag: "Begin"; readonly to: string | undefined }
  | { readonly _tag: "Progress" | "End" | "Cancel" | "Disconnect"; readonly which: number }
  | { readonly _tag: "Settle" | "Second" }

const tag = <T extends string>(...tags: readonly [T, ...ReadonlyArray<T>]) => FastCheck.constantFrom(...tags)
const key = FastCheck.constantFrom("a", "b", "c")
const id = FastCheck.constantFrom("R0", "R1")
const which = FastCheck.nat(5)

const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  FastCheck.record({ _tag: tag("Retain" as const), key, value: FastCheck.nat(9) }),
  FastCheck.record({ _tag: tag("Release" as const), key }),
  FastCheck.record({ _tag: tag("Connect" as const), id }),
  FastCheck.record({ _tag: tag("Begin" as const), to: FastCheck.option(id, { nil: undefined }) }),
  FastCheck.record({ _tag: tag("Progress" as const, "End" as const, "Cancel" as const, "Disconnect" as const), which }),
  FastCheck.record({ _tag: tag("Settle" as const, "Second" as const) })
)

interface Work {
  readonly id: Deferred.Deferred<string>
  readonly to: string | undefined
  readonly exit: Deferred.Deferred<void>
  progress: typeof TaskProgress.Service | undefined
}

const liveThrough = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const store = yield* FaultyRetained.make
    // Each write takes some turns, so that others come between.
    store.control.fault = Effect.repeatN(Effect.yieldNow(), 3)
    const rooms = yield* BackendRooms.make({ store: store.service })
    const { feed, manager, tasks } = rooms
    const works: Array<Work> = []
    const connects: Array<{ readonly id: string; readonly token: string }> = []

    const happen = (what: Step): Effect.Effect<unknown, unknown> => {
      switch (what._tag) {
        case "Retain":
          return feed.retain(RetainedKey.make(what.key), what.value)
        case "Release":
          return feed.release(RetainedKey.make(what.key))
        case "Connect":
          return Effect.suspend(() => {
            const token = `T${connects.length}`
            connects.push({ id: what.id, token })
            return manager.connected({ requestId: what.id, token, url: undefined, subject: undefined })
          })
        case "Disconnect":
          return manager.disconnected(`T${what.which}`)
        case "Begin":
          return Effect.gen(function* () {
            const work: Work = {
              id: yield* Deferred.make<string>(),
              to: what.to,
              exit: yield* Deferred.make<void>(),
              progress: undefined
            }
            works.push(work)
            const task = yield* tasks.run(
              { name: "x", ...(what.to === undefined ? {} : { to: what.to }) },
              Effect.gen(function* () {
                work.progress = yield* TaskProgress
                yield* Deferred.await(work.exit)
              })
            )
            yield* Deferred.succeed(work.id, task.id)
          })
        case "Progress":
          return Effect.suspend(() => works[what.which]?.progress?.report(0.5, "half") ?? Effect.void)
        case "End":
          return Effect.suspend(() => {
            const work = works[what.which]
            return work === undefined ? Effect.void : Deferred.succeed(work.exit, undefined)
          })
        case "Cancel":
          return Effect.suspend(() => {
            const work = works[what.which]
            return work === undefined ? Effect.void : Effect.flatMap(Deferred.await(work.id), tasks.cancel)
          })
        case "Settle":
          return settled
        case "Second":
          return TestClock.adjust("1 second")
      }
    }

    for (const what of steps) {
      const waits = what._tag === "Settle" || what._tag === "Second"
      yield* waits ? happen(what) : Effect.fork(Effect.ignore(happen(what)))
    }
    yield* settled
    yield* TestClock.adjust("1 second")
    yield* manager.settled

    for (const { id, token } of connects) {
      const frames = framesOf(rooms, token)
      assertWhole(frames)
      const [snapshot, ...later] = frames
      const isCurrent = connects.findLast((one) => one.id === id)?.token === token && manager.find(id) !== undefined
      if (!isCurrent || snapshot === undefined) continue
      const retained = new Map(Object.entries(snapshot.body["retained"] ?? {}))
      const states = new Map<string, Frame["body"]>()
      for (const state of Object.values(snapshot.body["tasks"] ?? {})) states.set(state.id, state)
      for (const { body, name } of later) {
        if (name === "retained") retained.set(String(body["key"]), body["data"])
        else if (name === "released") assert.isTrue(retained.delete(String(body["key"])), "released what it had not")
        else states.set(String(body["id"]), body)
      }
      for (const key of ["a", "b", "c"]) {
        assert.deepEqual(retained.get(key), Option.getOrUndefined(feed.retained(RetainedKey.make(key))))
      }
      for (const [id, state] of states) assert.deepEqual(state, yield* tasks.status(id))
      const running = tasks.running().filter((state) => states.get(state.id)?.["status"] === "running")
      const own = yield* Effect.forEach(works, (work) =>
        work.to === undefined || work.to === id ? Effect.asSome(Deferred.await(work.id)) : Effect.succeedNone
      )
      const expected = tasks.running().filter((state) => own.some((one) => Option.contains(one, state.id)))
      assert.deepEqual(running, expected)
    }
  })

const quiet = Layer.merge(TestContext.TestContext, Logger.remove(Logger.defaultLogger))

describe("whatever is retained, released, begun and connected at once", () => {
  it.live(
    "each connection's snapshot and what follows it are the state of the service, without hole or repeat (S137)",
    () =>
      Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.array(step, { minLength: 5, maxLength: 40 }), (steps) =>
            Effect.runPromise(liveThrough(steps).pipe(Effect.scoped, Effect.provide(quiet)))
          ),
          { numRuns: 25 }
        )
      )
  )
})
