import * as assert from "node:assert/strict"
import { describe, layer } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as Site from "./Site.ts"

/** A session of each test's own. */
let sessions = 0
const newSession = () => {
  sessions += 1
  return `s${sessions}`
}

/** Asks Sluice itself until no stream watches the session. */
const unwatched = (server: { readonly url: string }, session: string) =>
  Effect.repeat(Requests.watchers(server, session), { until: (count) => count === 0 })

const send = (server: { readonly url: string }, body: unknown) =>
  Requests.send(`${server.url}/internal/send`, { method: "POST", body: JSON.stringify(body) })

/** Events whose data is some text and their own number. */
const numbered = (first: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ data: `${first + index} ${"x".repeat(200)}` }))

layer(Site.layer(), { excludeTestServices: true })((it) => {
  for (const kind of ["nginx", "haproxy"] as const) {
    const site = Effect.map(Site.Site, ({ proxies, ...rest }) => ({ ...rest, proxy: proxies[kind] }))

    describe(`a stream behind ${kind}`, () => {
      it.scoped("begins at once: head and first frame are there though no event exists (S6)", () =>
        Effect.gen(function* () {
          const { proxy } = yield* site
          const headers = { "Accept-Encoding": "gzip" }
          const client = yield* StreamClient.open(`${proxy.url}/v1/sessions/${newSession()}/stream`, { headers })
          assert.equal(client.status, 200)
          assert.equal(client.headers["content-type"], "text/event-stream")
          assert.equal(client.headers["cache-control"], "no-cache, no-transform")
          assert.equal(client.headers["content-encoding"], undefined)
          yield* client.named("sluice.hello")
        })
      )

      it.scoped("has each event at once: none waits for another one, or for a full packet", () =>
        Effect.gen(function* () {
          const { proxy, server } = yield* site
          const session = newSession()
          const client = yield* StreamClient.open(`${proxy.url}/v1/sessions/${session}/stream`)
          yield* client.named("sluice.live")
          const waits: Array<number> = []
          for (let count = 1; count <= 15; count++) {
            const begin = performance.now()
            yield* Requests.add(server, session, { data: `event ${count}` })
            yield* client.find(({ data }) => data === `event ${count}`)
            waits.push(performance.now() - begin)
          }
          // A proxy that waits for more to send waits each time: HAProxy 200 ms, unless it is told not to.
          assert.ok(Math.min(...waits) < 150, `${waits} ms`)
        })
      )

      it.scoped("ends at Sluice when its reader leaves, without a heartbeat's help", () =>
        Effect.gen(function* () {
          const { proxy, server } = yield* site
          const session = newSession()
          yield* Requests.add(server, session, { data: 1 })
          const client = yield* StreamClient.open(`${proxy.url}/v1/sessions/${session}/stream`)
          yield* client.named("sluice.live")
          assert.equal(yield* Requests.watchers(server, session), 1)
          yield* client.abort
          yield* unwatched(server, session)
        })
      )

      it.scoped("replays 20,000 events whole and in order", () =>
        Effect.gen(function* () {
          const { proxy, server } = yield* site
          const session = newSession()
          const sent = numbered(1, 20_000)
          for (let from = 0; from < sent.length; from += 1000) {
            yield* Requests.add(server, session, { events: sent.slice(from, from + 1000) })
          }
          const client = yield* StreamClient.open(`${proxy.url}/v1/sessions/${session}/stream?from=start`)
          yield* client.named("sluice.live")
          assert.deepEqual(
            client.events().flatMap(({ data, name }) => (name === "message" ? [{ data }] : [])),
            sent
          )
        })
      )

      it.scoped("loses nothing when its reader stops reading for a while (promise 4)", () =>
        Effect.gen(function* () {
          const { proxy, server } = yield* site
          const session = newSession()
          const client = yield* StreamClient.open(`${proxy.url}/v1/sessions/${session}/stream`)
          yield* client.named("sluice.live")
          yield* client.pause
          const data = "x".repeat(20_000)
          for (let page = 0; page < 8; page++) {
            yield* Requests.add(server, session, { events: Array.from({ length: 100 }, () => ({ data })) })
          }
          const { last } = yield* Requests.add(server, session, { data: "the last one" })
          yield* client.resume
          yield* client.find((event) => event.data === "the last one")
          const events = client.events().filter(({ name }) => name === "message")
          assert.deepEqual(
            events.map(({ lastId }) => Number(lastId.split(".")[1])),
            Array.from({ length: last }, (_, index) => index + 1)
          )
        })
      )

      it.scoped("over 100 sessions with the longest ids resumes all of them: their places fit through", () =>
        Effect.gen(function* () {
          const { proxy, server } = yield* site
          const ids = Array.from({ length: 100 }, () => newSession().padEnd(128, "x"))
          const addToAll = (data: string) =>
            Effect.forEach(ids, (id) => Requests.add(server, id, { data }), { concurrency: 20, discard: true })
          yield* addToAll("before")
          const url = `${proxy.url}/v1/stream?${ids.map((id) => `session=${id}`).join("&")}`
          const first = yield* StreamClient.open(url)
          yield* first.until(() => first.events().filter(({ name }) => name === "sluice.live").length === ids.length)
          const vector = first.lastId()
          assert.ok(vector.length > 13_000, `${vector.length} characters`)
          yield* addToAll("after")
          const second = yield* StreamClient.open(url, { headers: { "Last-Event-ID": vector } })
          assert.equal(second.status, 200)
          const isEvent = ({ name }: StreamClient.StreamEvent) => name === "message"
          yield* second.until(() => second.events().filter(isEvent).length === ids.length)
          assert.ok(second.events().every((event) => !isEvent(event) || event.data.includes('"after"')))
        })
      )
    })

    describe(`a stream of the gateway behind ${kind}`, () => {
      it.scoped("begins when the backend has said yes: no byte before, the head at once (S5)", () =>
        Effect.gen(function* () {
          const { backend, proxy } = yield* site
          const answered = yield* Effect.makeLatch()
          backend.onConnect(() => Effect.as(answered.await, TestBackend.accept))
          const count = backend.calls().length
          const opening = yield* Effect.fork(StreamClient.open(`${proxy.url}/sse/held?a=%20b&c`))
          const calls = yield* backend.until((calls) => calls.length > count)
          assert.equal(calls[count]?.request.url, "/sse/held?a=%20b&c")
          assert.ok(Option.isNone(yield* opening.poll))
          yield* answered.open
          const client = yield* opening.await.pipe(Effect.flatten)
          assert.deepEqual([client.status, client.text()], [200, ""])
          backend.onConnect(TestBackend.always(TestBackend.accept))
        })
      )

      it.scoped("has what the backend sends at once, and ends when it says so", () =>
        Effect.gen(function* () {
          const { backend, proxy, server } = yield* site
          const client = yield* StreamClient.open(`${proxy.url}/sse/sent`)
          const token = backend.calls().findLast(({ request }) => request.url === "/sse/sent")?.token
          assert.equal((yield* send(server, { token, event: { name: "n", data: "1" } })).status, 200)
          yield* client.until((text) => text === "event: n\ndata: 1\n\n")
          assert.equal((yield* send(server, { token, event: { data: "2" }, close: true })).status, 200)
          assert.deepEqual(yield* client.ended, { text: "event: n\ndata: 1\n\ndata: 2\n\n", isComplete: true })
        })
      )

      it.scoped("tells the backend who asks, and when its reader leaves (S34)", () =>
        Effect.gen(function* () {
          const { backend, proxy } = yield* site
          const headers = { Cookie: "a=b", Authorization: "Bearer own", "X-Custom": "c" }
          const client = yield* StreamClient.open(`${proxy.url}/sse/left`, { headers })
          const connect = backend.calls().findLast(({ request }) => request.url === "/sse/left")
          const told = connect?.request.headers ?? {}
          assert.deepEqual(
            [
              told["cookie"],
              told["authorization"],
              told["x-custom"],
              told["x-forwarded-for"],
              told["x-forwarded-proto"]
            ],
            ["a=b", "Bearer own", "c", "127.0.0.1", "http"]
          )
          assert.match(String(told["x-forwarded-host"]), /^127\.0\.0\.1/)
          yield* client.abort
          const [disconnect] = yield* backend.disconnects(1, connect?.token)
          assert.deepEqual([disconnect?.reason, disconnect?.request], ["client_closed", connect?.request])
        })
      )

      it.scoped("is refused with the backend's own status, by no page of the proxy's", () =>
        Effect.gen(function* () {
          const { backend, proxy } = yield* site
          backend.onConnect(TestBackend.inTurn(TestBackend.answer(403), TestBackend.answer(503), TestBackend.accept))
          for (const status of [403, 503]) {
            const answer = yield* Requests.send(`${proxy.url}/sse/refused`)
            assert.equal(answer.status, status)
            assert.match(answer.text, /^\{"error":\{"code":"BACKEND_ERROR"/)
          }
        })
      )
    })

    describe(`what is not for the outside, behind ${kind}`, () => {
      for (const [method, path, status] of [
        ["GET", "/", 404],
        ["GET", "/healthz", 404],
        ["GET", "/v1/sessions", 404],
        ["GET", "/v1/sessions/s", 404],
        ["GET", "/v1/connections", 404],
        ["GET", "/v1/stream/../connections", 404],
        ["GET", "/v1/dead-letters", 404],
        ["POST", "/internal/send", 404],
        ["GET", "/internal/send", 404],
        ["POST", "/v1/broadcast", 404],
        ["POST", "/v1/sessions/s/events", 403],
        ["POST", "/v1/sessions/s/stream", 403],
        ["POST", "/v1/stream", 403]
      ] as const) {
        it.scoped(`${method} ${path} is ${status}, by the proxy itself`, () =>
          Effect.gen(function* () {
            const { proxy } = yield* site
            const answer = yield* Requests.send(`${proxy.url}${path}`, { method, body: '{"data":1}' })
            assert.equal(answer.status, status)
            assert.doesNotMatch(answer.text, /^\{/, "Sluice was asked")
          })
        )
      }

      it.scoped("has not kept history from the readers, who need it for gaps", () =>
        Effect.gen(function* () {
          const { proxy, server } = yield* site
          const session = newSession()
          yield* Requests.add(server, session, { data: "kept" })
          assert.equal((yield* Requests.history(proxy, session)).events[0]?.data, "kept")
        })
      )
    })
  }
})
