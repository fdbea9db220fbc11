/** The backend that the gateways ask: it says yes at once, and remembers to whom. One for all servers of a load process. */
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

export interface Backend {
  readonly url: string
  /** Of the stream that was opened last with this path and query. */
  readonly tokenOf: (path: string) => string
  /** Ends that it was told of. */
  readonly ends: () => number
  /** Done when there are `total` of them, now or later. */
  readonly ended: (total: number) => Promise<void>
}

/** The gateway's callbacks are those of the contract. */
interface Callback {
  readonly action: "connect" | "disconnect"
  readonly token: string
  readonly request: { readonly url: string }
}

export const open = async (): Promise<Backend> => {
  const tokens = new Map<string, string>()
  let ends = 0
  let awaited = Number.POSITIVE_INFINITY
  let reached: () => void = () => undefined

  const hear = ({ action, request, token }: Callback): void => {
    if (action === "connect") tokens.set(request.url, token)
    else if (++ends >= awaited) reached()
  }

  const server = Http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (part: string) => {
      body += part
    })
    request.on("end", () => {
      hear(JSON.parse(body))
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 2 })
      response.end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, resolve))
  // `address()` is an object for every server that listens on a port, and this one does now.
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}/callback`,
    tokenOf: (path) => {
      const token = tokens.get(path)
      if (token === undefined) throw new Error(`the backend was not asked about ${path}`)
      return token
    },
    ends: () => ends,
    ended: (total) =>
      new Promise((resolve) => {
        if (ends >= total) return resolve()
        awaited = total
        reached = resolve
      })
  }
}
