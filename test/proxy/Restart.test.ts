import * as assert from "node:assert/strict"
import { layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Chromium from "../browser/Chromium.ts"
import * as Requests from "../scenarios/Requests.ts"
import type * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as EventSource from "./EventSource.ts"
import * as Site from "./Site.ts"

const last = "the last event"
const together = { concurrency: "unbounded" } as const

/** Appends to Sluice itself, through every end of it, until `isOver`. What got no answer is not tried again. */
const appendOn = (server: ServerProcess.ServerProcess, isOver: () => boolean) =>
  Effect.iterate(1, {
    while: () => !isOver(),
    body: (count) =>
      server.up.pipe(
        Effect.zipRight(Requests.append(server, "log", { data: `event ${count}` })),
        Effect.catchTag("NoAnswer", () => Effect.void),
        Effect.as(count + 1)
      )
  })

/** Done when each has got 20 events more than it has now. */
const moved = (sources: ReadonlyArray<EventSource.EventSource>) =>
  Effect.forEach(
    sources,
    (source) => {
      const had = source.events().length
      return source.until((events) => events.length > had + 20)
    },
    together
  )

layer(Site.layer(), { excludeTestServices: true })("behind a proxy", (it) => {
  it.scoped("a reader misses and repeats nothing when Sluice, and when the proxy, gets kill -9 (promise 2)", () =>
    Effect.gen(function* () {
      const { proxies, server } = yield* Site.Site
      const all = Object.values(proxies)
      let isOver = false
      const appending = yield* Effect.fork(appendOn(server, () => isOver))
      const sources = yield* Effect.forEach(all, ({ up, url }) =>
        EventSource.make(`${url}/v1/sessions/log/stream?from=start`, Effect.zipRight(up, server.up))
      )
      yield* moved(sources)
      yield* server.kill9
      yield* server.start
      yield* moved(sources)
      for (const proxy of all) yield* Effect.zipRight(proxy.kill9, proxy.start)
      yield* moved(sources)
      isOver = true
      yield* Fiber.join(appending)
      yield* Requests.add(server, "log", { data: last })

      const { epoch, events } = yield* Requests.history(server, "log")
      const expected = events.map(({ data, seq }) => ({ data, id: `${epoch}.${seq}` }))
      for (const source of sources) {
        yield* source.until((events) => events.at(-1)?.data === last)
        assert.deepEqual(source.events(), expected)
        assert.equal(source.connects(), 3)
      }
    })
  )

  it.scoped("a stream that Sluice is not there for is a short one of status 200; all else is an error", () =>
    Effect.gen(function* () {
      const { proxies, server } = yield* Site.Site
      yield* server.kill9
      const short = (url: string) =>
        Effect.gen(function* () {
          const client = yield* StreamClient.open(url)
          assert.deepEqual([client.status, client.headers["content-type"]], [200, "text/event-stream"])
          assert.deepEqual(yield* client.ended, { text: "retry: 2000\n\n", isComplete: true })
        })
      const error = (url: string) =>
        Effect.map(Requests.send(url), ({ status }) => assert.ok(status === 502 || status === 503, `${status}`))
      const asked = Object.values(proxies).flatMap(({ url }) => [
        short(`${url}/v1/sessions/s/stream`),
        short(`${url}/v1/stream?session=s`),
        error(`${url}/v1/sessions/s/events`),
        error(`${url}/sse/x`)
      ])
      yield* Effect.all(asked, together)
      yield* server.start
    })
  )

  it.scoped("so an EventSource in Chromium does not give up, and goes on where it was (promise 2)", () =>
    Effect.gen(function* () {
      const { proxies, server } = yield* Site.Site
      yield* Requests.add(server, "s", { data: "before" })
      const { open } = yield* Chromium.make
      const listen = `
        var seen = [], failed = 0
        var source = new EventSource("/v1/sessions/s/stream?from=start")
        source.onmessage = ({ data }) => seen.push(data)
        source.onerror = () => failed++
      `
      const opened = (url: string) =>
        Effect.gen(function* () {
          // Any document of the same origin will do.
          const page = yield* open(`${url}/v1/sessions/s/events`)
          yield* page.run(listen)
          yield* page.until("seen.length === 1")
          return page
        })
      const pages = yield* Effect.forEach(Object.values(proxies), ({ url }) => opened(url), together)
      yield* server.kill9
      // The first one is the cut, the second one the end of the proxy's answer.
      yield* Effect.forEach(pages, (page) => page.until("failed >= 2"), together)
      yield* server.start
      yield* Requests.add(server, "s", { data: "after" })
      for (const page of pages) {
        yield* page.until("seen.length >= 2")
        assert.deepEqual(yield* page.run("seen"), ["before", "after"])
      }
    })
  )
})
