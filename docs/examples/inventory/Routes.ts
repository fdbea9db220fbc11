import { type FileSystem, HttpLayerRouter, HttpServerResponse, type Path } from "@effect/platform"
import { Effect } from "effect"
import { RetainedEvent } from "sluice"
import { Feed, Tasks } from "sluice/backend"
import * as Inventory from "./Inventory.ts"

const key = RetainedEvent.RetainedKey.make("inventory")

/** The page, and the import that it begins: 202 with the task's id. */
export const layer = (options: { readonly folder: string; readonly page: string }) =>
  HttpLayerRouter.use((router) =>
    Effect.gen(function* () {
      const feed = yield* Feed.Feed
      const tasks = yield* Tasks.Tasks
      const context = yield* Effect.context<FileSystem.FileSystem | Path.Path>()

      // Kept when it is done: whoever comes later has it in the snapshot.
      const work = Inventory.take(options.folder).pipe(
        Effect.flatMap((inventory) => feed.retain(key, inventory)),
        Effect.provide(context)
      )

      // Only its own sentence is for browsers: what the store says is not.
      const request: Tasks.Request<Effect.Effect.Error<typeof work>> = {
        name: "import",
        describe: (error) => (error._tag === "Unreadable" ? error.message : "the result could not be kept")
      }

      yield* router.add("GET", "/", HttpServerResponse.html(options.page))
      yield* router.add(
        "POST",
        "/api/imports",
        Effect.match(tasks.run(request, work), {
          onFailure: (error) => HttpServerResponse.unsafeJson({ error: error._tag }, { status: 503 }),
          onSuccess: ({ id }) => HttpServerResponse.unsafeJson({ task: id }, { status: 202 })
        })
      )
    })
  )
