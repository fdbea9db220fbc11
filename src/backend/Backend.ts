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

type Services =
  | CallbackHandler.CallbackHandler
  | ConnectionManager.ConnectionManager
  | Feed.Feed
  | Shutdown.Shutdown
  | Tasks.Tasks
  | Versions.Versions

/** Read it from the top: each line needs only lines below it; observers hear of a connect in the order of the lines from below. */
const services = (options: Options): Layer.Layer<Services, StoreError, Gateway | RetainedStore> =>
  CallbackHandler.layer(options.callback).pipe(
    Layer.provideMerge(Tasks.layer(options.tasks)),
    Layer.provideMerge(Feed.layer),
    Layer.provideMerge(Versions.layer(options.versions)),
    Layer.provideMerge(ConnectionManager.layer(options.connections)),
    Layer.provideMerge(Shutdown.layer(options.shutdown))
  )

/**
 * The application's half of the gateway; released, it stops in the order of `Shutdown`. `RetainedStore` is one of its own.
 *
 * `application` is what observes connects and takes part in the stop: there it hears of connections that were open before the
 * start, and its steps are still registered when the stop begins. Elsewhere above this layer neither holds.
 */
export const layer = <E = never, R = never>(
  options: Options,
  // `empty` needs and fails with nothing, which every E and R allows.
  application: Layer.Layer<never, E, R> = Layer.empty as Layer.Layer<never, E, R>
): Layer.Layer<Services, StoreError | E, Gateway | RetainedStore | Exclude<R, Services>> =>
  Layer.merge(Relearning.layer, Shutdown.onRelease).pipe(
    Layer.provideMerge(application),
    Layer.provideMerge(services(options))
  )
