import * as Http from "node:http"
import { isDeepStrictEqual } from "node:util"
import { Effect } from "effect"
import * as VectorCursor from "../../../src/protocol/VectorCursor.ts"
import * as HttpServer from "../../http/HttpServer.ts"

/** How many bytes of a body pass before the connection is cut, once so many came. Each byte is a character of `body`. */
type Cut = (body: string) => number | undefined

const never: Cut = () => undefined

/** In the middle of whatever is there. */
export const after =
  (bytes: number): Cut =>
  (body) =>
    body.length >= bytes ? bytes : undefined

/** With the end of the first block that has this line. */
export const afterBlock =
  (line: string): Cut =>
  (body) => {
    const start = body.indexOf(`${line}\n`)
    const end = start < 0 ? -1 : body.indexOf("\n\n", start + line.length)
    return end < 0 ? undefined : end + 2
  }

/** The places in a vector of cursors, by session; none where there is no vector. */
export const placesOf = (vector = ""): Readonly<Record<string, number>> =>
  Object.fromEntries(Array.from(VectorCursor.parse(vector) ?? [], ([session, { seq }]) => [session, seq]))

/** With the first block that has only an id, that of these places. */
export const afterPlaces =
  (places: Readonly<Record<string, number>>): Cut =>
  (body) => {
    const blocks = Array.from(body.matchAll(/^id: (\S+)\n\n/gm))
    const block = blocks.find(([, vector]) => isDeepStrictEqual(placesOf(vector), places))
    return block === undefined ? undefined : block.index + block[0].length
  }

/** Connections are cut one by one as said, then no more. */
export const inTurn = (...cuts: ReadonlyArray<Cut>) => {
  const left = Array.from(cuts)
  return () => left.shift() ?? never
}

/** A server in front of a real one, at the same address whatever becomes of that: it cuts connections, and notes who comes. */
export const make = (target: () => string, next: () => Cut = () => never) =>
  Effect.gen(function* () {
    /** The `Last-Event-ID` of each stream that was asked for, and what the server answered. */
    const cursors: Array<string | undefined> = []
    const statuses: Array<number | undefined> = []
    let cuts = 0

    const forward = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
      const { headers, url } = request
      const isStream = url?.startsWith("/v1/") ?? false
      if (isStream) cursors.push(headers["last-event-id"]?.toString())
      const cut = isStream ? next() : never
      let passed = 0
      let body = ""
      const behind = Http.request(new URL(url ?? "/", target()), { agent: false, headers }, (answer) => {
        if (isStream) statuses.push(answer.statusCode)
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.on("data", (bytes: Buffer) => {
          body += bytes.toString("latin1")
          const end = cut(body)
          response.write(bytes.subarray(0, end === undefined ? bytes.length : end - passed))
          passed += bytes.length
          if (end === undefined) return
          cuts += 1
          behind.destroy()
          // What was written goes out; the end of the chunked body does not.
          response.socket?.destroySoon()
        })
        answer.on("end", () => response.end())
        answer.on("error", () => response.destroy())
      })
      behind.on("error", () => response.socket?.destroySoon())
      response.on("close", () => behind.destroy())
      behind.end()
    }

    const url = yield* HttpServer.make(forward)
    return { url, cursors, statuses, cuts: () => cuts } as const
  })
