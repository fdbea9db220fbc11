import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { Context, Data, Duration, Effect, Layer, Schedule } from "effect"
import type { DisconnectOutbox } from "../callback/DisconnectOutbox.ts"
import type { ConnectionRegistry } from "../connection/ConnectionRegistry.ts"
import type { ConnectFlow } from "../gateway/ConnectFlow.ts"
import type { GatewayConnections } from "../gateway/GatewayConnections.ts"
import { Listener } from "../http/Listener.ts"
import type { Readiness } from "../http/Readiness.ts"
import type { Processes } from "../session/worker/Processes.ts"
import * as Farewell from "./Farewell.ts"

export interface Options {
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** The whole stop takes at most so long. */
  readonly drain: Duration.Duration
}

/** The port is taken, or the address is not this machine's. */
export class ListenError extends Data.TaggedError("ListenError")<{
  readonly host: string
  readonly port: number
  readonly cause: Error
}> {
  override get message(): string {
    return `cannot listen on ${this.host}:${this.port}: ${this.cause.message}`
  }
}

/** The address at which the server accepts connections, until its layer closes. */
export class Listening extends Context.Tag("sluice/server/Listening")<Listening, { readonly url: string }>() {}

/**
 * For a `node:http` server that has streams. A head or a body that comes in drops is cut off (slow senders, design §10); a stream is
 * past both. The `Last-Event-ID` of 100 watched sessions has up to 16 KB; refused, a browser would never come back.
 */
export const serverOptions: Http.ServerOptions = {
  maxHeaderSize: 65_536,
  keepAliveTimeout: 60_000,
  headersTimeout: 15_000,
  requestTimeout: 60_000
}

const listen = (server: Http.Server, { host, port }: Options) =>
  Effect.async<string, ListenError>((resume) => {
    const onError = (cause: Error) => resume(Effect.fail(new ListenError({ host, port, cause })))
    server.once("error", onError)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off("error", onError)
      // What the port says later ends no process: a client that could not be accepted comes again.
      server.on("error", () => {})
      // `address()` is an object for every server that listens on a port, and this one does now.
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed(`http://${host.includes(":") ? `[${host}]` : host}:${port}`))
    })
  })

/** A socket that was busy with a request becomes idle later: looked for again and again, since nothing tells of it. */
const closed = (server: Http.Server) =>
  Effect.raceFirst(
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
    }),
    Effect.repeat(
      Effect.sync(() => server.closeIdleConnections()),
      Schedule.spaced("20 millis")
    )
  )

/**
 * The stop, which the platform's server does not know for open streams (it waits for ever): not ready, farewell to every
 * stream, requests in hand are answered; what is left a second before the deadline is cut off. The rooms below, and the
 * store as the last one, close after this.
 */
const stop = (server: Http.Server, drain: Duration.Duration) =>
  Effect.gen(function* () {
    const patience = Duration.max(Duration.subtract(drain, Duration.millis(1500)), Duration.millis(250))
    const farewell = Farewell.say(Duration.times(patience, 0.7)).pipe(
      Effect.interruptible,
      Effect.timeoutOption(patience)
    )
    const [taken] = yield* Effect.timed(farewell)
    // Nobody may connect to rooms that are gone, also when the farewell took all the time.
    const left = Duration.max(Duration.subtract(patience, taken), Duration.min(patience, Duration.seconds(1)))
    yield* closed(server).pipe(Effect.interruptible, Effect.timeoutOption(left))
    server.closeAllConnections()
  })

export const layer = (options: Options) =>
  Layer.scoped(
    Listening,
    Effect.gen(function* () {
      const listener = yield* Listener
      const context = yield* Effect.context<
        Readiness | ConnectFlow | ConnectionRegistry | DisconnectOutbox | GatewayConnections | Processes
      >()
      const server = Http.createServer(serverOptions, listener)
      const url = yield* Effect.acquireRelease(listen(server, options), () =>
        Effect.provide(stop(server, options.drain), context)
      )
      return Listening.of({ url })
    })
  )
