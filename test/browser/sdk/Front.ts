import * as Http from "node:http"
import { setTimeout } from "node:timers/promises"
import { Effect } from "effect"
import * as HttpServer from "../../http/HttpServer.ts"

/** What becomes of the bytes of one stream on their way to the page. */
export type Way = (behind: Http.IncomingMessage, answer: Answer) => void

export interface Answer {
  /** The head of the response. */
  readonly open: () => void
  /** Done when the page's socket took it. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  readonly end: () => void
  /** The connection breaks, behind what was written. */
  readonly cut: () => void
}

const whole: Way = (behind, { end, open, write }) => {
  open()
  behind.on("data", write)
  behind.on("end", end)
}

/** No byte comes, and no end. */
export const silent: Way = (behind) => void behind.resume()

/** Each byte passes until there was `text`; then none, and no end. */
export const silentAfter =
  (text: RegExp): Way =>
  (behind, { open, write }) => {
    let passed = ""
    open()
    behind.on("data", (bytes: Buffer) => {
      const end = text.test(passed) ? 0 : bytes.length
      passed += bytes.toString("latin1")
      write(bytes.subarray(0, end))
    })
  }

/** In front of byte `count`; 0: before there was a head. */
export const cutAt =
  (count: number): Way =>
  (behind, { cut, open, write }) => {
    let left = count
    if (left === 0) return cut()
    open()
    behind.on("data", (bytes: Buffer) => {
      write(bytes.subarray(0, left))
      left = Math.max(0, left - bytes.length)
      if (left === 0) cut()
    })
  }

function* pieces(bytes: Buffer, size: () => number) {
  for (let at = 0; at < bytes.length; ) {
    const end = at + size()
    yield bytes.subarray(at, end)
    at = end
  }
}

/** In pieces of so many bytes, one at a time, and not so fast that they are one again when they come. */
export const inPieces =
  (size: () => number): Way =>
  (behind, { cut, end, open, write }) => {
    const pass = async () => {
      for await (const bytes of behind) {
        for (const piece of pieces(bytes, size)) {
          await write(piece)
          await setTimeout(1)
        }
      }
    }
    open()
    pass().then(end, cut)
  }

/** What came to a session's inbox, in order. */
export interface Post {
  readonly id: string
  readonly data: unknown
}

export interface Options {
  /** Of each stream, in turn; `whole` when there are no more. */
  readonly ways?: ReadonlyArray<Way>
  /** How many messages the server behind gets whose answer is kept back for ever. */
  readonly unanswered?: number
}

const blank = `<!doctype html><html lang="en"><meta charset="utf-8"><title>blank</title>
<script>var persisted = []; addEventListener("pageshow", (event) => persisted.push(event.persisted))</script></html>`

/** A server in front of a real one, and of the same origin as its own page `/blank`: what a network does, as it is told. */
export const make = (target: string, { unanswered = 0, ways = [] }: Options = {}) =>
  Effect.gen(function* () {
    const left = Array.from(ways)
    const posts: Array<Post> = []
    let streams = 0

    const answerOf = (behind: Http.IncomingMessage, response: Http.ServerResponse): Answer => ({
      open: () => {
        response.writeHead(behind.statusCode ?? 500, behind.headers)
        response.flushHeaders()
      },
      write: (bytes) => new Promise((resolve) => void response.write(bytes, () => resolve())),
      end: () => response.end(),
      cut: () => {
        behind.destroy()
        response.socket?.destroySoon()
      }
    })

    const wayOf = ({ method, url = "" }: Http.IncomingMessage, body: string): Way => {
      if (method === "POST" && url.endsWith("/messages")) {
        const { data, id } = JSON.parse(body)
        posts.push({ id, data })
        return posts.length <= unanswered ? silent : whole
      }
      if (!url.startsWith("/v1/stream")) return whole
      streams += 1
      return left.shift() ?? whole
    }

    const forward = (request: Http.IncomingMessage, response: Http.ServerResponse, body: string) => {
      const { headers, method, url } = request
      const way = wayOf(request, body)
      const behind = Http.request(new URL(url ?? "/", target), { agent: false, method, headers }, (message) => {
        message.on("error", () => response.destroy())
        way(message, answerOf(message, response))
      })
      behind.on("error", () => response.destroy())
      response.on("close", () => behind.destroy())
      behind.end(body)
    }

    const url = yield* HttpServer.withBodies((request, response, body) => {
      if (request.url !== "/blank") return forward(request, response, body)
      response.writeHead(200, { "Content-Type": "text/html" }).end(blank)
    })
    return { url, blank: `${url}/blank`, posts, streams: () => streams } as const
  })
