import * as assert from "node:assert/strict"
import { Context, Effect, Layer, Schema } from "effect"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestServer from "../../src/testing/TestServer.ts"
import * as Call from "./Call.ts"

const Appended = Schema.Struct({
  session: Schema.String,
  epoch: Schema.String,
  first: Schema.Int,
  last: Schema.Int,
  head: Schema.Int
})
const decodeAppended = Schema.decodeUnknownSync(Schema.parseJson(Appended), { onExcessProperty: "error" })

export const appended = (answer: Call.Answer): typeof Appended.Type => decodeAppended(answer.text)

/** `count` events whose data is their own number, from `first` on. */
export const numbered = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ data: `${first + index}` }))

export const range = (first: number, last: number): ReadonlyArray<string> =>
  Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`)

/** The data of the session's own events: what is left without the control frames. */
export const dataOf = (events: ReadonlyArray<StreamClient.StreamEvent>): ReadonlyArray<string> =>
  events.filter(({ name }) => !name.startsWith("sluice.")).map(({ data }) => data)

/** What a test does with a server that listens at `url`. */
export const at = (url: string) => {
  const call = (path: string, request?: Call.Request) => Call.call(url, path, request)

  const post = (path: string, body: unknown, headers = {}) =>
    call(path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers }
    })

  /** The answer as it is, also a refusal. */
  const append = (session: string, body: unknown, headers = {}) => post(`/v1/sessions/${session}/events`, body, headers)

  /** The numbers of an append that must be accepted. */
  const add = (session: string, body: unknown) =>
    Effect.map(append(session, body), (answer) => {
      assert.equal(answer.status, 201, answer.text)
      return appended(answer)
    })

  /** Events numbered 1 to `count`, in as few requests as that takes. */
  const fill = (session: string, count: number) =>
    Effect.map(
      Effect.forEach(Array.from({ length: Math.ceil(count / 1000) }), (_, page) =>
        add(session, { events: numbered(page * 1000 + 1, Math.min(1000, count - page * 1000)) })
      ),
      ([first]) => first?.epoch ?? assert.fail("nothing to fill")
    )

  /** Ends a session that lives. */
  const end = (session: string) =>
    Effect.map(
      call(`/v1/sessions/${session}/state`, {
        method: "PUT",
        body: JSON.stringify({ state: "ENDED" }),
        headers: { "Content-Type": "application/json" }
      }),
      ({ status, text }) => assert.equal(status, 200, text)
    )

  const stream = (path: string, headers = {}) => StreamClient.open(`${url}${path}`, { headers })

  /** The stream of one session; `query` without its mark. */
  const watch = (session: string, query = "", headers = {}) =>
    stream(`/v1/sessions/${session}/stream?${query}`, headers)

  /** Asks until `isSuch` holds of the session as operators see it. */
  const untilSession = (session: string, isSuch: (summary: Readonly<Record<string, unknown>>) => boolean) =>
    Effect.repeat(
      Effect.map(call(`/v1/sessions/${session}`), (answer) => Call.json(answer)),
      { until: (summary) => isSuch(summary) }
    )

  return { url, call, post, append, add, fill, end, stream, watch, untilSession } as const
}

export type Sluice = ReturnType<typeof at>

/** A server of the test's own, until its scope closes. */
export const make = (overrides?: TestServer.Overrides) => Effect.map(TestServer.make(overrides), ({ url }) => at(url))

/** The same over a store in memory that misbehaves when the test says so. */
export const makeFaulty = (overrides?: TestServer.Overrides) =>
  Effect.map(
    Layer.build(
      Layer.provideMerge(TestServer.layerWithStore(overrides), Layer.provide(FaultyStore.layer, MemoryStore.layer))
    ),
    (context) => ({
      sluice: at(Context.get(context, TestServer.TestServer).url),
      store: Context.get(context, FaultyStore.FaultyStore)
    })
  )
