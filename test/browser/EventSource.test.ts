import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
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
