import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import { Effect, type Layer, type Scope } from "effect"

/** Routes without a server or a network, by the clock of the test. */
export const make = <E>(routes: Layer.Layer<never, E, HttpLayerRouter.HttpRouter>) =>
  Effect.gen(function* () {
    const app = yield* HttpLayerRouter.toHttpEffect(routes)
    const handle = HttpApp.toWebHandlerRuntime(yield* Effect.runtime<Scope.Scope>())(app)
    return {
      call: (path: string, init: RequestInit = {}) =>
        Effect.promise(async () => {
          const response = await handle(new Request(`http://localhost${path}`, init))
          return { status: response.status, text: await response.text() }
        })
    } as const
  })
