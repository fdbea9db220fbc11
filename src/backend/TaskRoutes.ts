/** What became of a task, and its cancel, as routes of the application's own HTTP server. Whoever reaches them may ask: put them behind its authentication. */
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { Tasks } from "./Tasks.ts"

export interface Options {
  /** Without a slash at its end. Default: `/api/tasks`. */
  readonly path?: `/${string}`
}

const notFound = HttpServerResponse.unsafeJson(
  { error: { code: "TASK_NOT_FOUND", message: "there is no such task, or it ended too long ago" } },
  { status: 404 }
)

/** `GET PATH/:id`: its state. `DELETE PATH/:id`: 202 with the state in which it ended, or had ended before. */
export const layer = ({ path = "/api/tasks" }: Options = {}) =>
  HttpLayerRouter.use((router) =>
    Effect.gen(function* () {
      const tasks = yield* Tasks

      const answer = (status: number, prepare: (id: string) => ReturnType<typeof tasks.cancel> | Effect.Effect<void>) =>
        Effect.gen(function* () {
          const { id = "" } = yield* HttpLayerRouter.params
          yield* prepare(id)
          return HttpServerResponse.unsafeJson(yield* tasks.status(id), { status })
        }).pipe(Effect.catchTag("TaskNotFound", () => Effect.succeed(notFound)))

      yield* router.add(
        "GET",
        `${path}/:id`,
        answer(200, () => Effect.void)
      )
      yield* router.add("DELETE", `${path}/:id`, answer(202, tasks.cancel))
    })
  )
