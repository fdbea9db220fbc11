import { Layer } from "effect"
import type { Gateway } from "../gateway/Gateway.ts"
import type { RetainedStore } from "../store/RetainedStore.ts"
import type { StoreError } from "../domain/SessionError.ts"
import * as CallbackHandler from "./CallbackHandler.ts"
import * as ConnectionManager from "./ConnectionManager.ts"
import * as Feed from "./Feed.ts"
import * as Relearning from "./Relearning.ts"
import * as Shutdown from "./Shutdown.ts"
import * as Tasks from "./Tasks.ts"
import * as Versions from "./Versions.ts"

/** One field per service. */
export interface Options {
  readonly versions: Versions.Options
  readonly callback?: CallbackHandler.Options
  readonly connections?: ConnectionManager.Options
  readonly tasks?: Tasks.Options
  readonly shutdown?: Shutdown.Options
}

/**
 * The application's half of the gateway. Read it from the top: each line needs only lines below it; observers hear of a connect in
 * the order of the lines from below. Released, it stops in the order of `Shutdown`. `RetainedStore` is one of its own.
 */
export const layer = (
  options: Options
): Layer.Layer<
  | CallbackHandler.CallbackHandler
  | ConnectionManager.ConnectionManager
  | Feed.Feed
  | Shutdown.Shutdown
  | Tasks.Tasks
  | Versions.Versions,
  StoreError,
  Gateway | RetainedStore
> =>
  Layer.merge(Relearning.layer, Shutdown.onRelease).pipe(
    Layer.provideMerge(CallbackHandler.layer(options.callback)),
    Layer.provideMerge(Tasks.layer(options.tasks)),
    Layer.provideMerge(Feed.layer),
    Layer.provideMerge(Versions.layer(options.versions)),
    Layer.provideMerge(ConnectionManager.layer(options.connections)),
    Layer.provideMerge(Shutdown.layer(options.shutdown))
  )
