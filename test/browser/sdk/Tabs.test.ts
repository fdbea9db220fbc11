import * as assert from "node:assert/strict"
import { describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import * as ServerProcess from "../../scenarios/ServerProcess.ts"
import * as Chromium from "../Chromium.ts"
import * as Appending from "./Appending.ts"
import * as Connections from "./Connections.ts"
import * as Follower from "./Follower.ts"

/** Tabs of one browser that follow a session together; the first leads. */
const following = (count: number, before = "") =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started({ SLUICE_REPLAY_CAP: "1000000" })
    const tabs = yield* Chromium.tabs
    yield* tabs.before(before)
    const open = Follower.opened(tabs, `${server.url}/healthz`, { from: "start", isShared: true })
    return { server, open, followers: yield* Effect.replicateEffect(open, count) } as const
  })

describe.concurrent("tabs of one Chromium with a shared connection", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.scoped("are seven with one stream over HTTP/1.1: all get every event once, and all can send (S122)", () =>
      Effect.gen(function* () {
        const { followers, server } = yield* following(7)
        assert.equal((yield* Connections.tokens(server)).length, 1)
        yield* Requests.add(server, "s", { events: [{ data: "1" }, { data: "2" }] })
        const sent = yield* Effect.forEach(followers, ({ page }, tab) =>
          page.run(`client.send("of tab ${tab}").then(({ type }) => type)`)
        )
        assert.deepEqual(
          sent,
          followers.map(() => "accepted")
        )
        yield* Requests.add(server, "s", { data: Appending.last })
        for (const { assertWhole, sees } of followers) {
          yield* sees(Appending.last)
          yield* assertWhole(server)
        }
        assert.equal((yield* Connections.tokens(server)).length, 1)
      })
    )

    it.scoped("lose nothing when the one that leads is closed, and the next one crashes: another resumes (S122)", () =>
      Effect.gen(function* () {
        const { followers, open, server } = yield* following(3)
        const [first, second, third] = followers
        assert.ok(first && second && third)
        const late = yield* Appending.during(
          server,
          Effect.gen(function* () {
            yield* third.seesMore
            const stream = yield* Connections.another(server, [])
            yield* first.page.close
            const streams = yield* Connections.another(server, stream)
            yield* second.seesMore
            yield* third.seesMore
            yield* second.page.crash
            yield* Connections.another(server, streams)
            yield* third.seesMore
            const late = yield* open
            yield* late.seesMore
            return late
          })
        )
        for (const { assertWhole, sees } of [third, late]) {
          yield* sees(Appending.last)
          yield* assertWhole(server)
        }
        assert.equal((yield* Connections.tokens(server)).length, 1)
      })
    )

    it.scoped("have one each where there are no Web Locks (S122)", () =>
      Effect.gen(function* () {
        const { followers, server } = yield* following(
          2,
          `Object.defineProperty(Navigator.prototype, "locks", { value: undefined })`
        )
        assert.equal((yield* Connections.tokens(server)).length, 2)
        yield* Requests.add(server, "s", { data: Appending.last })
        for (const { assertWhole, sees } of followers) {
          yield* sees(Appending.last)
          yield* assertWhole(server)
        }
      })
    )
  })
})
