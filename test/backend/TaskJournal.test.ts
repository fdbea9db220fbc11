import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, TestClock } from "effect"
import { StoreError } from "../../src/domain/SessionError.ts"
import { RetainedKey } from "../../src/domain/RetainedEvent.ts"
import { RetainedStore } from "../../src/store/RetainedStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as TemporaryFile from "../store/TemporaryFile.ts"
import * as BackendRooms from "./BackendRooms.ts"
import * as FaultyRetained from "./FaultyRetained.ts"

const tasksTold = (rooms: BackendRooms.Rooms, token: string) => rooms.told(token, "snapshot")[0]?.data["tasks"]

/** What a first application leaves in the store, found by a second one, to which `R1` connects. */
const afterCrash = (
  before: (rooms: BackendRooms.Rooms, store: FaultyRetained.Store) => Effect.Effect<unknown, unknown>
) =>
  Effect.gen(function* () {
    const store = yield* FaultyRetained.make
    const former = yield* BackendRooms.make({ store: store.service })
    yield* before(former, store)
    yield* settled
    const left = yield* store.copy
    yield* TestClock.adjust("1 hour")
    const rooms = yield* BackendRooms.make({ store: left })
    yield* rooms.connect("R1", "T1")
    return { former, left, rooms }
  })

describe("the journal of tasks", () => {
  it.scoped("has a task that ran in a crash told as failed by the next start, once", () =>
    Effect.gen(function* () {
      const { left, rooms } = yield* afterCrash((former) => former.tasks.run("build", Effect.never))
      const [task] = Object.values(tasksTold(rooms, "T1") ?? {})
      assert.deepInclude(task, {
        name: "build",
        status: "failed",
        message: "the server stopped while it ran",
        startedAt: "1970-01-01T00:00:00.000Z",
        endedAt: "1970-01-01T01:00:00.000Z"
      })
      assert.equal((yield* rooms.tasks.status(task.id)).status, "failed")
      assert.deepEqual(rooms.tasks.running(), [])
      assert.deepEqual(yield* left.all, [])
      const third = yield* BackendRooms.make({ store: left })
      yield* third.connect("R1")
      assert.deepEqual(tasksTold(third, "R1"), [])
    })
  )

  it.scoped(
    "has a task whose end was journaled before the crash told with that end, though nobody had heard of it",
    () =>
      Effect.gen(function* () {
        const { former, rooms } = yield* afterCrash((former, { control }) =>
          Effect.gen(function* () {
            yield* former.connect("R1", "before")
            const exit = yield* Deferred.make<void, string>()
            yield* former.tasks.run("build", Deferred.await(exit))
            yield* settled
            // The removal never comes: the process ends before.
            let writes = 0
            control.fault = Effect.suspend(() => {
              writes += 1
              return writes === 1 ? Effect.void : Effect.never
            })
            yield* Deferred.fail(exit, "no disk")
          })
        )
        const [task] = Object.values(tasksTold(rooms, "T1") ?? {})
        assert.deepInclude(task, {
          status: "failed",
          message: "something went wrong",
          endedAt: "1970-01-01T00:00:00.000Z"
        })
        assert.deepEqual(
          former.told("before", "task").map(({ data }) => data["status"]),
          ["running", "failed"],
          "and the former process told no other"
        )
      })
  )

  it.scoped("writes the end before anybody is told of it, so that a crash in between cannot tell another", () =>
    Effect.gen(function* () {
      const store = yield* FaultyRetained.make
      const rooms = yield* BackendRooms.make({ store: store.service })
      yield* rooms.connect("R1")
      const exit = yield* Deferred.make<void>()
      yield* rooms.tasks.run("build", Deferred.await(exit))
      yield* settled
      const written = yield* Deferred.make<void>()
      store.control.fault = Deferred.await(written)
      yield* Deferred.succeed(exit, undefined)
      yield* settled
      assert.lengthOf(rooms.told("R1", "task"), 1)
      yield* Deferred.succeed(written, undefined)
      yield* settled
      assert.lengthOf(rooms.told("R1", "task"), 2)
    })
  )

  it.scoped("tells of what a crash ended only those whom the task was for, and for a minute", () =>
    Effect.gen(function* () {
      const { rooms } = yield* afterCrash((former) => former.tasks.run({ name: "build", to: "R2" }, Effect.never))
      assert.deepEqual(tasksTold(rooms, "T1"), [])
      yield* rooms.connect("R2", "T2")
      assert.lengthOf(Object.values(tasksTold(rooms, "T2") ?? {}), 1)
      yield* TestClock.adjust("1 minute")
      yield* rooms.connect("R2", "T3")
      assert.deepEqual(tasksTold(rooms, "T3"), [])
    })
  )

  it.scoped("leaves alone what it cannot read and what is not its own", () =>
    Effect.gen(function* () {
      const store = yield* FaultyRetained.make
      for (const [key, data] of [
        ["task.broken", "{"],
        ["other", "{}"]
      ] as const) {
        yield* store.service.put(RetainedKey.make(key), { name: "n", data }, 1)
      }
      const rooms = yield* BackendRooms.make({ store: store.service })
      yield* rooms.connect("R1")
      assert.deepEqual(tasksTold(rooms, "R1"), [])
      assert.lengthOf(yield* store.service.all, 2)
    })
  )

  it.scoped("is empty when all tasks have ended, and when the application has stopped", () =>
    Effect.gen(function* () {
      const store = yield* FaultyRetained.make
      const rooms = yield* BackendRooms.make({ store: store.service })
      const task = yield* rooms.tasks.run("build", Effect.void)
      yield* task.ended
      yield* settled
      assert.deepEqual(yield* store.service.all, [])
      yield* rooms.tasks.run("build", Effect.never)
      assert.lengthOf(yield* store.service.all, 1)
      const stop = yield* Effect.fork(rooms.shutdown.begin)
      yield* TestClock.adjust("10 seconds")
      yield* stop.await
      assert.deepEqual(yield* store.service.all, [])
    })
  )

  it.scoped("begins nothing when the store cannot be read", () =>
    Effect.gen(function* () {
      const { service } = yield* FaultyRetained.make
      const all = Effect.suspend(() => new StoreError({ reason: "Corrupt", cause: "test" }))
      const error = yield* Effect.flip(BackendRooms.make({ store: RetainedStore.of({ ...service, all }) }))
      assert.equal(error._tag, "StoreError")
    })
  )

  it.scoped("works on a file: what ran there when it was closed under the process is told by the next one", () =>
    Effect.gen(function* () {
      const filename = yield* TemporaryFile.make
      const file = SqliteStore.layer({ filename, durability: "process" })
      const crashing = Effect.flatMap(RetainedStore, (store) =>
        Effect.flatMap(BackendRooms.make({ store }), ({ tasks }) => tasks.run("build", Effect.never))
      )
      // The application's scope is around that of the file.
      yield* Effect.scoped(Effect.provide(crashing, file))
      const next = Effect.gen(function* () {
        const rooms = yield* BackendRooms.make({ store: yield* RetainedStore })
        yield* rooms.connect("R1")
        const [task] = Object.values(tasksTold(rooms, "R1") ?? {})
        assert.deepInclude(task, { name: "build", status: "failed" })
      })
      yield* Effect.provide(Effect.scoped(next), file)
    })
  )
})
