import * as assert from "node:assert/strict"
import { describe, layer } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import * as ServerProcess from "../../scenarios/ServerProcess.ts"
import * as Chromium from "../Chromium.ts"
import * as Follower from "./Follower.ts"
import * as Front from "./Front.ts"

const storage = "x"

/** Waits until what is kept is such. */
const kept = (page: Chromium.Page, isSuch: string) =>
  Effect.zipRight(
    page.run(`void (async () => {
      const storage = sluice.indexedDbStorage("${storage}")
      const isSuch = ({ messages, places }) => ${isSuch}
      window.isKept = false
      while (!isKept) isKept = isSuch(await storage.load())
    })()`),
    page.until("isKept")
  )

/** A page, a session with one event, and what stands between them. */
const opened = (unanswered = 0) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started()
    yield* Requests.add(server, "s", { data: "0" })
    const front = yield* Front.make(server.url, { unanswered })
    const { open } = yield* Chromium.tabs
    const page = yield* open(front.blank)
    return { front, page, server } as const
  })

const untilStored = (server: ServerProcess.ServerProcess, count: number) =>
  Effect.repeat(Requests.history(server, "s"), {
    until: ({ events }) => events.length >= count,
    schedule: Schedule.spaced("20 millis")
  })

describe.concurrent("the SDK with a storage in IndexedDB, in a page that is loaded again", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.scoped("sends what had no answer once more, with the same ids and in order: each is stored once (S118)", () =>
      Effect.gen(function* () {
        const { front, page, server } = yield* opened(1)
        yield* Follower.start(page, { storage })
        const data = [{ text: "first ü" }, "second", 3]
        yield* page.run(`void ${JSON.stringify(data)}.forEach((data) => client.send(data))`)
        yield* untilStored(server, 2)
        yield* kept(page, "messages.length === 3")
        yield* page.reload
        const follower = yield* Follower.start(page, { storage })
        const results = yield* page.run(
          `Promise.all(client.restored.map(async ({ message, result }) => ({ id: message.id, ...(await result) })))`
        )
        const { events } = yield* Requests.history(server, "s")
        const [lost, ...again] = front.posts
        assert.deepEqual(again[0], lost)
        assert.deepEqual(
          again.map(({ data }) => data),
          data
        )
        assert.deepEqual(
          results,
          again.map(({ id }, index) => ({ id, type: "accepted", receipt: { id, session: "s", seq: index + 2 } }))
        )
        assert.deepEqual(
          events.slice(1).map(({ data }) => JSON.parse(data).id),
          again.map(({ id }) => id)
        )
        // What was answered is not kept for the next.
        yield* kept(page, "messages.length === 0")
        yield* page.reload
        yield* Follower.start(page, { storage })
        assert.deepEqual(yield* page.run("client.restored"), [])
        assert.deepEqual(follower.page.errors, [])
      })
    )

    it.scoped("goes on behind the events that the app was done with, and skips none", () =>
      Effect.gen(function* () {
        const { front, page, server } = yield* opened()
        const events = ["1", "2", "3", "4", "5"].map((data) => ({ data }))
        const first = yield* Follower.start(page, { storage })
        yield* first.live
        yield* Requests.add(server, "s", { events })
        yield* first.sees("5")
        yield* kept(page, `places.get("s")?.seq === 6`)
        yield* page.goto(`${front.url}/healthz`)
        yield* Requests.add(server, "s", { events: [{ data: "6" }, { data: "7" }, { data: "8" }] })
        yield* page.goto(front.blank)

        // It takes 7, and is loaded again before it asks for the next: it was not done with that one.
        const second = yield* Follower.start(page, { storage, stopsAt: "7" })
        yield* second.sees("7")
        assert.deepEqual(yield* second.data, ["6", "7"])
        yield* kept(page, `places.get("s")?.seq === 7`)
        yield* page.reload
        const third = yield* Follower.start(page, { storage })
        yield* third.sees("8")
        assert.deepEqual(yield* third.data, ["7", "8"])
        assert.deepEqual(page.errors, [])
      })
    )
  })
})
