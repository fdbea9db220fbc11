import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as TaskRoutes from "../../src/backend/TaskRoutes.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"
import * as TestRoutes from "./TestRoutes.ts"

const make = (options?: TaskRoutes.Options) =>
  Effect.gen(function* () {
    const rooms = yield* BackendRooms.make()
    const { call } = yield* TestRoutes.make(
      TaskRoutes.layer(options).pipe(Layer.provide(Layer.succeedContext(rooms.context)))
    )
    return { ...rooms, call }
  })

describe("TaskRoutes", () => {
  it.scoped("gives the state of a task while it runs and after its end", () =>
    Effect.gen(function* () {
      const { call, tasks } = yield* make()
      const running = yield* tasks.run("build", Effect.never)
      const failed = yield* tasks.run({ name: "test", describe: String }, Effect.fail("red\n    at secret.ts:1"))
      yield* failed.ended
      const first = yield* call(`/api/tasks/${running.id}`)
      assert.equal(first.status, 200)
      assert.deepInclude(JSON.parse(first.text), { id: running.id, name: "build", status: "running", progress: 0 })
      const second = yield* call(`/api/tasks/${failed.id}`)
      assert.deepInclude(JSON.parse(second.text), { status: "failed", message: "red" })
    })
  )

  it.scoped("cancels with DELETE, answers with the state in which the task ended, and says that again", () =>
    Effect.gen(function* () {
      const { call, connect, tasks, told } = yield* make()
      yield* connect("R1")
      const { id } = yield* tasks.run("build", Effect.never)
      for (const _ of ["first", "again"]) {
        const answer = yield* call(`/api/tasks/${id}`, { method: "DELETE" })
        assert.equal(answer.status, 202)
        assert.deepInclude(JSON.parse(answer.text), { id, status: "cancelled" })
      }
      yield* settled
      assert.lengthOf(told("R1", "task"), 2)
    })
  )

  it.scoped("answers 404 for a task that is unknown, and needs no default path", () =>
    Effect.gen(function* () {
      const { call, tasks } = yield* make({ path: "/mine" })
      for (const method of ["GET", "DELETE"]) {
        const answer = yield* call("/mine/unknown", { method })
        assert.equal(answer.status, 404)
        assert.equal(JSON.parse(answer.text).error.code, "TASK_NOT_FOUND")
      }
      const { id } = yield* tasks.run("build", Effect.void)
      assert.equal((yield* call(`/mine/${id}`)).status, 200)
    })
  )
})
