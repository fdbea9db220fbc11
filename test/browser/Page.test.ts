import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Requests from "../scenarios/Requests.ts"
import * as ServerProcess from "../scenarios/ServerProcess.ts"
import * as Chromium from "./Chromium.ts"

const dataset = "document.documentElement.dataset"

/** A server and its own page on the session `s`. */
const opened = (settings: Readonly<Record<string, string>>, events: ReadonlyArray<unknown>) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started(settings)
    if (events.length > 0) yield* Requests.add(server, "s", { events })
    const { open } = yield* Chromium.make
    const page = yield* open(`${server.url}/?session=s`)
    yield* page.until(`${dataset}.state === "live"`)
    return { server, page } as const
  })

const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ data: `line ${index + 1}` }))

/** The rows that a reader sees, in order. */
const rows = `Array.from(document.querySelectorAll("#log li.event"), (row) => row.querySelector(".data").textContent)`

/** Waits until the page is at `cursor`, and has shown `count` events. */
const reaches = (page: Chromium.Page, cursor: string, count: number) =>
  page.until(`${dataset}.cursor === "${cursor}" && ${dataset}.count === "${count}"`)

describe("the page at /", () => {
  it.scopedLive("shows the events of a session as they come, whatever their names and however they look", () =>
    Effect.gen(function* () {
      const { page, server } = yield* opened({}, [{ data: "first" }])
      yield* Requests.add(server, "s", { name: "progress", data: { percent: 50 } })
      const markup = `<img src=x onerror="document.title='broken into'">`
      const { epoch } = yield* Requests.add(server, "s", { data: markup })
      yield* reaches(page, `${epoch}.3`, 3)
      assert.deepEqual(yield* page.run(rows), ["first", `progress{"percent":50}`, markup])
      assert.equal(yield* page.run(`document.querySelectorAll("#log img").length`), 0)

      yield* page.fill("#data", "typed by hand")
      yield* page.click("#append button")
      yield* reaches(page, `${epoch}.4`, 4)
      const { events } = yield* Requests.history(server, "s")
      assert.equal(events[3]?.data, "typed by hand")
      assert.equal(yield* page.run(`${dataset}.holes`), "0")
      assert.deepEqual(page.errors, [])
    })
  )

  it.scopedLive("shows events whose names every object has as properties", () =>
    Effect.gen(function* () {
      const names = ["__proto__", "toString", "constructor", "__defineGetter__"]
      const { page } = yield* opened(
        {},
        names.map((name) => ({ name, data: "x" }))
      )
      yield* page.until(`document.querySelectorAll("#log li.event").length === ${names.length}`)
      assert.deepEqual(
        yield* page.run(rows),
        names.map((name) => `${name}x`)
      )
      assert.deepEqual(page.errors, [])
    })
  )

  for (const [what, event] of [
    ["an event", { data: "now it does" }],
    ["an event of a name that nobody listens to", { name: "unheard", data: "now it does" }]
  ] as const) {
    it.scopedLive(`begins with a session that does not exist yet, with ${what}`, () =>
      Effect.gen(function* () {
        const { page, server } = yield* opened({}, [])
        const { epoch } = yield* Requests.add(server, "s", event)
        yield* reaches(page, `${epoch}.1`, 1)
        assert.match(String(yield* page.run(rows)), /now it does$/)
      })
    )
  }

  it.scopedLive("tells of what was not replayed, and loads it when asked to (promise 5)", () =>
    Effect.gen(function* () {
      const { page } = yield* opened({}, numbered(500))
      yield* page.until(`document.querySelectorAll("#log li.event").length === 200`)
      assert.equal(yield* page.run(`document.querySelectorAll("#log li.gap").length`), 1)
      assert.match(String(yield* page.run(`document.querySelector("#log li.gap").textContent`)), /300/)
      yield* page.click("#log li.gap button")
      yield* page.until(`document.querySelectorAll("#log li.event").length === 500`)
      assert.equal(yield* page.run(`document.querySelectorAll("#log li.gap").length`), 0)
      assert.deepEqual(
        yield* page.run(rows),
        numbered(500).map(({ data }) => data)
      )
      assert.equal(yield* page.run(`${dataset}.holes`), "0")
      assert.deepEqual(page.errors, [])
    })
  )

  it.scopedLive("goes on after kill -9 without a hole, while events are appended throughout (promise 2, S111)", () =>
    Effect.gen(function* () {
      const { page, server } = yield* opened({ SLUICE_REPLAY_CAP: "10000" }, [{ data: "first" }])
      let isOver = false
      const appending = yield* Effect.fork(
        Effect.iterate(1, {
          while: () => !isOver,
          body: (count) =>
            server.up.pipe(
              Effect.zipRight(Requests.append(server, "s", { data: `${count}` })),
              // One a frame, so that all of them are still in the document at the end.
              Effect.zipRight(page.run("new Promise(requestAnimationFrame)")),
              Effect.catchTag("NoAnswer", () => Effect.void),
              Effect.as(count + 1)
            )
        })
      )
      yield* page.until(`Number(${dataset}.count) > 20`)
      yield* server.kill9
      yield* page.until(`${dataset}.state === "offline"`)
      yield* server.start
      const had = Number(yield* page.run(`${dataset}.count`))
      yield* page.until(`${dataset}.state === "live" && Number(${dataset}.count) > ${had + 20}`)
      isOver = true
      yield* Fiber.join(appending)
      const { epoch, events, head } = yield* Requests.history(server, "s")
      yield* reaches(page, `${epoch}.${head}`, head)
      assert.equal(yield* page.run(`${dataset}.holes`), "0")
      assert.deepEqual(
        yield* page.run(rows),
        events.map(({ data }) => data)
      )
      assert.deepEqual(page.errors, [])
    })
  )
})
