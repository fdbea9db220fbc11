import { Context, Duration, Effect, type Scope } from "effect"
import { type Dispatcher, Pool } from "undici"

export interface Options {
  /** At most so many at a time, each request on one of its own. */
  readonly sockets: number
  /** For the opening of a socket. */
  readonly timeout: Duration.Duration
  /** Hears whether a socket could be opened, whenever one was tried. */
  readonly reached: (isReachable: boolean) => void
}

/** The sockets to one backend. */
export interface Carrier {
  /** Writes one POST, at most once, and tells `call` of all that comes of it. */
  readonly dispatch: (path: string, headers: Array<string>, body: string, call: Dispatcher.DispatchHandler) => void
}

const idle = {
  keepAliveTimeout: 1000,
  keepAliveTimeoutThreshold: 1000,
  keepAliveMaxTimeout: 30_000
}

const open = (origin: string, { reached, sockets, timeout }: Options): Effect.Effect<Carrier, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(
        () =>
          new Pool(origin, {
            ...idle,
            connections: sockets,
            pipelining: 1,
            // One limit, by our clock. undici's own would need a second one, of real time, where a socket never opens.
            headersTimeout: 0,
            bodyTimeout: 0,
            connect: { timeout: Math.max(1, Duration.toMillis(timeout)) }
          })
      ),
      (pool) => Effect.promise(() => pool.destroy())
    ),
    (pool) => {
      pool.on("connect", () => reached(true))
      pool.on("connectionError", () => reached(false))
      return { dispatch: (path, headers, body, call) => pool.dispatch({ path, method: "POST", headers, body }, call) }
    }
  )

/**
 * What carries callbacks to the backend. By default undici's sockets; under them nothing is left that takes time, so that a
 * simulation puts its own network here and plays everything above it.
 */
export class Transport extends Context.Reference<Transport>()("sluice/callback/Transport", {
  defaultValue: () => ({ open })
}) {}
