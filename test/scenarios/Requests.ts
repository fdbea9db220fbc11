import * as assert from "node:assert/strict"
import * as Http from "node:http"
import { Data, Effect, Schema } from "effect"
import * as Api from "../../src/domain/Api.ts"

/** The server went away before it had answered: what was asked may have been done or not. */
class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly cause: Error }> {}

export interface Answer {
  readonly status: number
  readonly text: string
}

export interface Request {
  readonly method?: "GET" | "POST"
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Hears when all of the request was handed to the system. */
  readonly onSent?: () => void
}

/** One request on a connection of its own, so that none is left over from a server that was killed. */
export const send = (url: string, { body = "", headers = {}, method = "GET", onSent }: Request = {}) =>
  Effect.async<Answer, NoAnswer>((resume) => {
    const length = method === "GET" ? {} : { "Content-Length": Buffer.byteLength(body) }
    const request = Http.request(url, { agent: false, method, headers: { ...length, ...headers } })
    const fail = (cause: Error) => resume(new NoAnswer({ cause }))
    request.on("error", fail)
    request.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part
      })
      response.on("error", fail)
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
    })
    if (onSent !== undefined) request.once("finish", onSent)
    request.end(body)
    return Effect.sync(() => request.destroy())
  })

export const Appended = Schema.parseJson(
  Schema.Struct({ session: Schema.String, epoch: Schema.String, first: Schema.Int, last: Schema.Int, head: Schema.Int })
)
export type Appended = typeof Appended.Type
export const decodeAppended = Schema.decodeUnknownSync(Appended)

/** A body of the append route, as JSON. */
export const append = (server: { readonly url: string }, session: string, body: unknown, request: Request = {}) =>
  send(`${server.url}/v1/sessions/${session}/events`, {
    method: "POST",
    ...request,
    headers: { "Content-Type": "application/json", ...request.headers },
    body: JSON.stringify(body)
  })

/** An append that must be accepted. */
export const add = (server: { readonly url: string }, session: string, body: unknown) =>
  Effect.map(Effect.orDie(append(server, session, body)), ({ status, text }) => {
    assert.equal(status, 201, text)
    return decodeAppended(text)
  })

const decodeHistory = Schema.decodeUnknownSync(Schema.parseJson(Api.History))

/** All events of a session, page by page. */
export const history = (server: { readonly url: string }, session: string) =>
  Effect.gen(function* () {
    const events: Array<(typeof Api.History.Type.events)[number]> = []
    for (;;) {
      const after = events[events.length - 1]?.seq ?? 0
      const url = `${server.url}/v1/sessions/${session}/events?after=${after}&limit=1000`
      const { status, text } = yield* Effect.orDie(send(url))
      assert.equal(status, 200, text)
      const page = decodeHistory(text)
      events.push(...page.events)
      if (page.events.length === 0) return { epoch: page.epoch, head: page.head, events }
    }
  })

/** How many streams watch a session, as operators see it. */
export const watchers = (server: { readonly url: string }, session: string) =>
  Effect.map(Effect.orDie(send(`${server.url}/v1/sessions/${session}`)), ({ status, text }) => {
    assert.equal(status, 200, text)
    return decodeWatchers(text).watchers
  })

const decodeWatchers = Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({ watchers: Schema.Int })))
