/**
 * The limit of the runtime: a server by hand on `node:http` with the routes of Sluice that the load client uses. It parses
 * the same bodies and answers in the same form, but checks nothing, stores nothing and waits for nobody. An event is
 * framed once, chunked encoding included, and that one Buffer is written to the bare socket of every watcher.
 */
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { RawServerKind } from "./Measure.ts"

interface Session {
  readonly watchers: Set<Socket>
  /** The history, ready to be written: full pages, and the frames of the one that is not. */
  readonly pages: Array<Buffer>
  readonly rest: Array<string>
  gathered: string
  seq: number
}

/** Events of a page, which is one write of a replay. */
const pageSize = 500

const chunk = (frames: string): Buffer => Buffer.from(`${Buffer.byteLength(frames).toString(16)}\r\n${frames}\r\n`)

/** Not one client is trusted less than the benchmark's own: the body is what it says. */
const parse = (body: string): ReadonlyArray<{ readonly data: string }> => JSON.parse(body).events

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done)
      resolve()
    }
    socket.on("drain", done).on("close", done)
  })

export const run = (kind: RawServerKind): void => {
  const sessions = new Map<string, Session>()
  const touched = new Set<Session>()

  const find = (id: string): Session => {
    const found = sessions.get(id)
    if (found !== undefined) return found
    const made: Session = { watchers: new Set(), pages: [], rest: [], gathered: "", seq: 0 }
    sessions.set(id, made)
    return made
  }

  const write = (session: Session, frames: string): void => {
    if (session.watchers.size === 0) return
    const bytes = chunk(frames)
    for (const socket of session.watchers) socket.write(bytes)
  }

  const flush = (): void => {
    for (const session of touched) {
      write(session, session.gathered)
      session.gathered = ""
    }
    touched.clear()
  }

  const gather = (session: Session, frames: string): void => {
    session.gathered += frames
    if (touched.size === 0) setImmediate(flush)
    touched.add(session)
  }

  const keep = ({ pages, rest }: Session, frame: string): void => {
    rest.push(frame)
    if (rest.length === pageSize) pages.push(chunk(rest.splice(0).join("")))
  }

  const append = (id: string, body: string, response: Http.ServerResponse): void => {
    const session = find(id)
    const first = session.seq + 1
    const frames = parse(body).map(({ data }) => `id: raw.${++session.seq}\ndata: ${data}\n\n`)
    const answer = `{"session":"${id}","epoch":"raw","first":${first},"last":${session.seq},"head":${session.seq}}`
    response.writeHead(201, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(answer) })
    response.end(answer)
    if (kind === "rawKeeping") for (const frame of frames) keep(session, frame)
    if (kind === "rawGathering") return gather(session, frames.join(""))
    write(session, frames.join(""))
  }

  const stream = async (session: Session, isFromStart: boolean, response: Http.ServerResponse): Promise<void> => {
    const { socket } = response
    if (socket === null) return
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform" })
    response.write(": open\n\n")
    const { pages, rest, watchers } = session
    if (isFromStart) {
      for (const page of pages) if (!socket.write(page)) await drained(socket)
      if (rest.length > 0) socket.write(chunk(rest.join("")))
    }
    if (socket.destroyed) return
    watchers.add(socket)
    socket.once("close", () => watchers.delete(socket))
  }

  const server = Http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?")
    const id = path.split("/")[3] ?? ""
    if (request.method === "GET") return void stream(find(id), query === "from=start", response)
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => append(id, Buffer.concat(parts).toString(), response))
  })
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
    // `address()` is an object for every server that listens on a port, and this one does now.
    const { port } = server.address() as AddressInfo
    console.log(`listening on http://127.0.0.1:${port}`)
  })
}
