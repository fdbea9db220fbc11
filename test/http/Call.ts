import * as assert from "node:assert/strict"
import * as Http from "node:http"
import { Effect, Predicate, Schema } from "effect"

/** One request and its whole answer, by `node:http`: the path is sent as it is written here. */
export interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly text: string
}

export interface Request {
  readonly method?: string
  readonly headers?: Http.OutgoingHttpHeaders
  /** With `Content-Length`; an array is sent in chunks. */
  readonly body?: string | ReadonlyArray<string>
}

const agent = new Http.Agent({ keepAlive: true })

/** Dies when no answer comes: the server under test always answers. */
export const call = (url: string, path: string, { body, headers = {}, method = "GET" }: Request = {}) =>
  Effect.async<Answer>((resume) => {
    const { hostname, port } = new URL(url)
    const length = typeof body === "string" ? { "Content-Length": Buffer.byteLength(body) } : {}
    const request = Http.request({ agent, hostname, port, path, method, headers: { ...length, ...headers } })
    request.on("error", (cause) => resume(Effect.die(cause)))
    request.on("response", (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => {
        text += part
      })
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
      )
    })
    for (const part of typeof body === "string" ? [body] : (body ?? [])) request.write(part)
    request.end()
    return Effect.sync(() => request.destroy())
  })

const decodeRecord = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
)

/** A JSON object, of an answer or of a frame's data. */
export const json = (of: { readonly text: string } | { readonly data: string }): Readonly<Record<string, unknown>> =>
  decodeRecord("text" in of ? of.text : of.data)

/** The chosen members of a JSON object. */
export const pick = (of: Readonly<Record<string, unknown>>, ...names: ReadonlyArray<string>) =>
  Object.fromEntries(names.map((name) => [name, of[name]]))

/** The form of every error (contract, first section): nothing beside it, and nothing of the inside. */
export const assertError = (answer: Answer, status: number, code: string): Readonly<Record<string, unknown>> => {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers["content-type"] ?? "", /^application\/json/)
  assert.doesNotMatch(answer.text, /\\n\s+at |node_modules|\.ts\b/)
  const { error, ...rest } = json(answer)
  assert.deepEqual(rest, {})
  assert.ok(Predicate.isRecord(error))
  const { code: actual, details, message, ...more } = error
  assert.equal(actual, code)
  assert.ok(typeof message === "string" && message.length > 0)
  assert.deepEqual(more, {})
  return Predicate.isRecord(details) ? { ...details, message } : { message }
}
