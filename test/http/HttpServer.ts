import * as Http from "node:http"
import { Effect } from "effect"

/** A server of a test's own, on a free port of this machine, until its scope closes; its URL. */
export const make = (handle: Http.RequestListener) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Http.Server>((resume) => {
        const server = Http.createServer(handle)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          server.closeAllConnections()
        })
    ),
    (server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    }
  )

/** The same for who takes a request with its whole body. */
export const withBodies = (
  handle: (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => void
) =>
  make((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (part: string) => {
      body += part
    })
    request.on("end", () => handle(request, response, body))
  })
