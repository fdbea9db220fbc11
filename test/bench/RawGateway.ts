/**
 * The limit of the runtime for a gateway: the routes of Sluice's by hand on `node:http`. It asks the same backend with the
 * same callbacks, but checks nothing, journals nothing and retries nothing. An event is framed once, chunked encoding
 * included, and that one Buffer is written to the bare socket of every stream it is for.
 *
 * It calls through undici, as Sluice does, which is the faster way: 103 CPU µs a connect and 81 a disconnect, against 117
 * and 96 through a keep-alive `http.Agent` (medians of 28 rounds of 1,000).
 */
import { randomUUID } from "node:crypto"
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Pool } from "undici"
import * as Paths from "../../src/protocol/Paths.ts"

/** Nobody but the benchmark's own client sends: the body is what it says. `token` to one stream, else to all. */
interface Send {
  readonly token?: string
  readonly event: { readonly data: string }
}

const json = { "Content-Type": "application/json" }

const frame = ({ data }: Send["event"]): Buffer => {
  const text = `data: ${data}\n\n`
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

const answer = (response: Http.ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { ...json, "Content-Length": Buffer.byteLength(body) })
  response.end(body)
}

/** Calls the backend. `done` gets the status of its answer, 503 when there is none. */
const caller = (url: URL) => {
  const pool = new Pool(url.origin, { connections: 256, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const headers = ["Content-Type", "application/json"]
  return (body: string, done: (status: number) => void): void => {
    let status = 503
    pool.dispatch(
      { path: url.pathname, method: "POST", headers, body },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_, answered) => {
          status = answered
        },
        onResponseData: () => undefined,
        onResponseEnd: () => done(status),
        onResponseError: () => done(503)
      }
    )
  }
}

export const run = (): void => {
  const call = caller(new URL(process.env["CALLBACK_URL"] ?? ""))
  const streams = new Map<string, Socket>()

  const connect = ({ headers, url }: Http.IncomingMessage, response: Http.ServerResponse): void => {
    const token = randomUUID()
    const request = { url, headers }
    const leave = () => {
      streams.delete(token)
      call(JSON.stringify({ action: "disconnect", reason: "client_closed", token, request }), () => undefined)
    }
    call(JSON.stringify({ action: "connect", token, request }), (status) => {
      const { socket } = response
      if (status >= 300) return answer(response, status, "{}")
      if (socket === null || socket.destroyed) return leave()
      response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform" })
      response.flushHeaders()
      streams.set(token, socket)
      socket.once("close", leave)
    })
  }

  const send = (body: string, response: Http.ServerResponse): void => {
    const { event, token }: Send = JSON.parse(body)
    const bytes = frame(event)
    if (token === undefined) {
      for (const socket of streams.values()) socket.write(bytes)
      return answer(response, 200, `{"status":"ok","connections":${streams.size}}`)
    }
    const socket = streams.get(token)
    if (socket === undefined) return answer(response, 404, "{}")
    socket.write(bytes)
    answer(response, 200, `{"status":"ok"}`)
  }

  const server = Http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.method === "GET") return connect(request, response)
    if (request.url !== Paths.internalSend) return answer(response, 404, "{}")
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => send(Buffer.concat(parts).toString(), response))
  })
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    // `address()` is an object for every server that listens on a port, and this one does now.
    const { port } = server.address() as AddressInfo
    console.log(`listening on http://127.0.0.1:${port}`)
  })
}
