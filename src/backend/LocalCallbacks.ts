/**
 * Both halves in one process: the gateway's callbacks without HTTP. The gateway is built below the application, and calls up
 * through this; until the application is attached, callbacks wait, within the time that the gateway gives them.
 */
import { Cause, Context, Deferred, Duration, Effect, Layer } from "effect"
import {
  BackendRefused,
  BackendTimeout,
  BackendUnavailable,
  type CallbackError,
  Callbacks
} from "../callback/Callbacks.ts"
import * as ReadAnswer from "../callback/ReadAnswer.ts"
import * as ConnectAnswer from "../domain/ConnectAnswer.ts"
import { type Answer, CallbackHandler, type ConnectRefused, type InvalidCallback } from "./CallbackHandler.ts"

type Handler = typeof CallbackHandler.Service

/** Where the application says that it is there. */
export class LocalCallbacks extends Context.Tag("sluice/backend/LocalCallbacks")<
  LocalCallbacks,
  { readonly attach: (handler: Handler) => Effect.Effect<void> }
>() {}

export interface Options {
  /** As `CALLBACK_TIMEOUT_SECONDS`. */
  readonly timeout: Duration.Duration
}

export const defaults: Options = { timeout: Duration.seconds(5) }

const refusal = (error: InvalidCallback | ConnectRefused): BackendRefused =>
  error._tag === "ConnectRefused"
    ? new BackendRefused({ status: error.status, reason: error.message })
    : new BackendRefused({ status: 400, reason: "Bad Request" })

/** As an HTTP server would answer 500. */
const died = (cause: Cause.Cause<never>) =>
  Effect.zipRight(Effect.logError("a callback died", cause), new BackendRefused({ status: 500, reason: "" }))

/** The gateway's own text of `{ url, headers }` (`CallbackRequest`). */
const parsed = (request: string): unknown => JSON.parse(request)

const make = ({ timeout }: Options) =>
  Effect.map(Deferred.make<Handler>(), (attached) => {
    const handle = (json: unknown): Effect.Effect<Answer | undefined, CallbackError> =>
      Effect.flatMap(Deferred.await(attached), (handler) => Effect.mapError(handler.handle(json), refusal)).pipe(
        Effect.disconnect,
        Effect.timeoutFail({ duration: timeout, onTimeout: () => new BackendTimeout() }),
        Effect.catchAllCause((cause) =>
          Cause.isDie(cause) ? died(Cause.die(Cause.squash(cause))) : Effect.failCause(cause)
        )
      )

    const callbacks = Callbacks.of({
      connect: (call) =>
        Effect.flatMap(handle({ action: "connect", token: call.token, request: parsed(call.request) }), (answer) =>
          ReadAnswer.told(call, ConnectAnswer.parse(JSON.stringify(answer ?? {})))
        ),
      disconnect: ({ reason, request, token }) =>
        Effect.asVoid(handle({ action: "disconnect", reason, token, request: parsed(request) })),
      message: () =>
        Effect.fail(new BackendUnavailable({ mayHaveAccepted: false, problem: "messages go to processes here" }))
    })
    const local = LocalCallbacks.of({ attach: (handler) => Effect.asVoid(Deferred.succeed(attached, handler)) })
    return Context.make(Callbacks, callbacks).pipe(Context.add(LocalCallbacks, local))
  })

export const layer = (options: Options = defaults): Layer.Layer<Callbacks | LocalCallbacks> =>
  Layer.effectContext(make(options))

/** The application is there from now on. */
export const attached: Layer.Layer<never, never, CallbackHandler | LocalCallbacks> = Layer.effectDiscard(
  Effect.flatMap(Effect.all([LocalCallbacks, CallbackHandler]), ([local, handler]) => local.attach(handler))
)
