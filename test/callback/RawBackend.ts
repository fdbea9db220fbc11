import * as Http from "node:http"
import * as Net from "node:net"
import { Deferred, Duration, Effect, type Redacted } from "effect"
import * as HttpCallbacks from "../../src/callback/HttpCallbacks.ts"

export const call = { token: "t-1", request: `{"url":"/sse/a?b=1","headers":{"host":"example.com"}}` }

/** `at` as the backend; a minute is longer than any test. */
export const callbacks = (at: string, options: Partial<Omit<HttpCallbacks.Options, "url">> = {}) =>
  HttpCallbacks.make({
    url: new URL(at),
    timeout: Duration.minutes(1),
    secret: undefined,
    sendSecret: false,
    ...options
  })

export const signed = (at: string, secret: Redacted.Redacted, sendSecret = false) =>
  callbacks(at, { secret, sendSecret })

/** A connect that fails, and why. */
export const failureOf = (at: string) => Effect.flatMap(callbacks(at), ({ connect }) => Effect.flip(connect(call)))

const listen = <Server extends Net.Server>(make: () => Server) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: Server; readonly sockets: Set<Net.Socket>; readonly port: number }>((resume) => {
      const server = make()
      const sockets = new Set<Net.Socket>()
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("error", () => {}) // its other end may be gone
        socket.once("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ server, sockets, port }))
      })
    }),
    ({ server, sockets }) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )

/** A backend whose requests are read whole before `answer`; its open sockets are at hand. */
export const http = (answer: (request: Http.IncomingMessage, response: Http.ServerResponse) => void) =>
  Effect.map(
    listen(() =>
      // No socket is closed by it unless a test does it.
      Http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
        request.resume().once("end", () => answer(request, response))
      })
    ),
    ({ port, server, sockets }) => ({ url: `http://127.0.0.1:${port}/`, server, sockets })
  )

/** Something that takes connections and does with their bytes what `onSocket` says. */
export const tcp = (onSocket: (socket: Net.Socket) => void) =>
  Effect.map(
    listen(() => Net.createServer(onSocket)),
    ({ port, sockets }) => ({ port, sockets })
  )

/** Done when the backend sees that `socket` is closed. */
export const closed = (socket: Net.Socket) =>
  Effect.async<void>((resume) => {
    if (socket.destroyed) resume(Effect.void)
    else socket.once("close", () => resume(Effect.void))
  })

/** A latch that a callback of Node opens. */
export const makeLatch = Effect.map(Deferred.make<void>(), (deferred) => ({
  open: () => Deferred.unsafeDone(deferred, Effect.void),
  opened: Deferred.await(deferred)
}))
