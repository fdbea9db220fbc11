import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import * as Front from "../client/foreign/Front.ts"
import { dataOf, named, numbered } from "../client/foreign/Heard.ts"
import * as Sluice from "../http/Sluice.ts"
import * as Requests from "../scenarios/Requests.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Chromium from "./Chromium.ts"

const last = "the last event"

/** What a page does that knows nothing of this system: it notes each event and its id. */
const listen = `
  var seen = [], opened = 0, said = []
  var source = new EventSource("/v1/sessions/s/stream?from=start")
  source.onopen = () => opened++
  source.onmessage = ({ data, lastEventId }) => seen.push({ data, lastEventId })
  for (const name of ["sluice.gap", "sluice.bye"]) source.addEventListener(name, () => said.push(name))
`
const Seen = Schema.Struct({
  seen: Schema.Array(Schema.Struct({ data: Schema.String, lastEventId: Schema.String })),
  said: Schema.Array(Schema.String),
  opened: Schema.Int
})
const decodeSeen = Schema.decodeUnknownSync(Seen)

/** Appends without a pause, through every end of the server. What got no answer is not tried again. */
const appendOn = (server: ServerProcess.ServerProcess, until: () => boolean) =>
  Effect.iterate(1, {
    while: () => !until(),
    body: (count) =>
      server.up.pipe(
        Effect.zipRight(Requests.append(server, "s", { data: `event ${count}\nof many` })),
        Effect.catchTag("NoAnswer", () => Effect.void),
        Effect.as(count + 1)
      )
  })

/** A page with an `EventSource` lives through `restarts`; it must have seen the log, and what it was told. */
const survives = (restarts: (server: ServerProcess.ServerProcess, page: Chromium.Page) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started({ SLUICE_REPLAY_CAP: "1000000" })
    const { open } = yield* Chromium.make
    // Any document of the server's own will do.
    const page = yield* open(`${server.url}/healthz`)
    yield* page.run(listen)
    let isOver = false
    const appending = yield* Effect.fork(appendOn(server, () => isOver))
    yield* page.until("seen.length > 20")
    yield* restarts(server, page)
    isOver = true
    yield* Fiber.join(appending)
    yield* Requests.add(server, "s", { data: last })
    yield* page.until(`seen.at(-1)?.data === "${last}"`)

    const { opened, said, seen } = decodeSeen(yield* page.run("({ seen, said, opened })"))
    const { epoch, events } = yield* Requests.history(server, "s")
    assert.deepEqual(
      seen,
      events.map(({ data, seq }) => ({ data, lastEventId: `${epoch}.${seq}` }))
    )
    assert.deepEqual(page.errors, [])
    return { opened, said }
  })

/** Waits until the page has come back, and has had more than it had. */
const returned = (page: Chromium.Page, times: number) =>
  Effect.flatMap(page.run("seen.length"), (had) => page.until(`opened > ${times} && seen.length > ${Number(had)} + 20`))

describe("a plain EventSource in Chromium, while events are appended throughout", () => {
  it.scopedLive("goes on after kill -9 and a restart without a missed or repeated event (promise 2, S111)", () =>
    Effect.gen(function* () {
      const { opened, said } = yield* survives((server, page) =>
        Effect.forEach(
          [1, 2],
          (times) => Effect.all([server.kill9, server.start, returned(page, times)], { discard: true }),
          { discard: true }
        )
      )
      assert.equal(opened, 3)
      assert.deepEqual(said, [])
    })
  )

  it.scopedLive("goes on after the server's goodbye without a missed or repeated event (promise 2, S111, S44)", () =>
    Effect.gen(function* () {
      const { opened, said } = yield* survives((server, page) =>
        Effect.gen(function* () {
          assert.equal(yield* server.stop, 0)
          yield* server.start
          yield* returned(page, 1)
        })
      )
      assert.equal(opened, 2)
      assert.deepEqual(said, ["sluice.bye"])
    })
  )
})

/** What a page does that notes all it hears of these names. */
const listenTo = (path: string, ...names: ReadonlyArray<string>) => `
  var heard = []
  var source = new EventSource("${path}")
  for (const name of ${JSON.stringify(names)})
    source.addEventListener(name, ({ data, lastEventId: id }) => heard.push({ id, name, data }))
`
const decodeHeard = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String, data: Schema.String }))
)

/** A page whose `EventSource` reads through a front that cuts its connections. */
const reading = (front: { readonly url: string }, path: string, ...names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { open } = yield* Chromium.make
    const page = yield* open(`${front.url}/healthz`)
    yield* page.run(listenTo(path, ...names))
    return { page, heard: Effect.map(page.run("heard"), (heard) => decodeHeard(heard)) } as const
  })

// Side by side: each waits two seconds or so before it comes back.
describe.concurrent("a plain EventSource in Chromium", () => {
  it.scopedLive("is told of a gap once: when it is cut right after, it does not ask for it again", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { replayCap: 3 } })
      const epoch = yield* sluice.fill("a", 10)
      const front = yield* Front.make(() => sluice.url, Front.inTurn(Front.afterBlock("event: sluice.gap")))
      const { page, heard } = yield* reading(front, "/v1/sessions/a/stream?from=start", "message", "sluice.gap")
      yield* page.until("heard.length > 3")
      const [gap, ...events] = yield* heard
      assert.deepEqual([gap?.name, gap?.id], ["sluice.gap", `${epoch}.7`])
      assert.deepEqual(events, numbered(epoch, 8, 10))
      assert.deepEqual(front.cursors, [undefined, `${epoch}.7`])
    })
  )

  it.scopedLive("misses no event of several sessions when it is cut, and repeats none", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 2)
      yield* sluice.fill("b", 1)
      const closing = { a: 2, b: 1 }
      const front = yield* Front.make(() => sluice.url, Front.inTurn(Front.afterPlaces(closing)))
      const path = "/v1/stream?session=a&session=b&from=start"
      const { page, heard } = yield* reading(front, path, "message", "sluice.gap")
      yield* page.until("source.readyState === EventSource.CONNECTING && heard.length === 3")
      yield* sluice.add("a", { events: Sluice.numbered(3, 2) })
      yield* sluice.add("b", { data: "2" })
      yield* page.until("heard.length === 6")
      const all = yield* heard
      assert.deepEqual([dataOf(all, "a"), dataOf(all, "b")], [Sluice.range(1, 4), Sluice.range(1, 2)])
      assert.deepEqual(front.cursors.map(Front.placesOf), [{}, closing])
    })
  )

  it.scopedLive("hears events by their names, and is sent away for good when it comes back after the end", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const front = yield* Front.make(() => sluice.url)
      const { epoch } = yield* sluice.add("a", { events: [{ name: "delta", data: "a\nb" }, { data: { n: 1 } }] })
      const path = "/v1/sessions/a/stream?from=start"
      const { page, heard } = yield* reading(front, path, "message", "delta", "sluice.state", "sluice.end")
      yield* sluice.add("a", { name: "delta", data: "" })
      yield* page.until("heard.length === 3")
      yield* sluice.end("a")
      yield* page.until("source.readyState === EventSource.CLOSED")
      const all = yield* heard
      assert.deepEqual(all.slice(0, 3), [
        { id: `${epoch}.1`, name: "delta", data: "a\nb" },
        { id: `${epoch}.2`, name: "message", data: '{"n":1}' },
        { id: `${epoch}.3`, name: "delta", data: "" }
      ])
      assert.equal(named(all, "sluice.end").length, 1)
      assert.deepEqual(front.cursors, [undefined, all.at(-1)?.id])
      assert.deepEqual(front.statuses, [200, 204])
    })
  )
})
