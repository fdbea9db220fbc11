import * as assert from "node:assert/strict"
import { describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import * as ServerProcess from "../../scenarios/ServerProcess.ts"
import * as Chromium from "../Chromium.ts"
import * as Appending from "./Appending.ts"
import * as Follower from "./Follower.ts"

/** Three tabs follow a session through `end`, one by itself and two with one connection. */
const throughAnEnd = (
  end: (server: ServerProcess.ServerProcess) => Effect.Effect<unknown>,
  options: Follower.Options = {}
) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started({ SLUICE_REPLAY_CAP: "1000000" })
    const tabs = yield* Chromium.tabs
    const followers = yield* Effect.forEach([false, true, true], (isShared) =>
      Follower.opened(tabs, `${server.url}/healthz`, { from: "start", isShared, ...options })
    )
    const each = <A>(ask: (follower: Follower.Follower) => Effect.Effect<A>) =>
      Effect.forEach(followers, ask, { discard: true })
    yield* Appending.during(
      server,
      Effect.gen(function* () {
        yield* each(({ seesMore }) => seesMore)
        yield* end(server)
        yield* each(({ offline }) => offline)
        yield* server.start
        yield* each(({ live }) => live)
        yield* each(({ seesMore }) => seesMore)
      })
    )
    yield* each(({ sees }) => sees(Appending.last))
    yield* each(({ assertWhole }) => assertWhole(server))
  })

describe.concurrent("the SDK in Chromium", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.scoped(
      "is offline after kill -9, comes back, and misses and repeats none of the events appended meanwhile",
      () => throughAnEnd((server) => server.kill9)
    )

    it.scoped("comes back after the server's goodbye, and misses and repeats none of the events (promise 2)", () =>
      throughAnEnd(
        (server) => Effect.map(server.stop, (status) => assert.equal(status, 0)),
        // A goodbye spreads its clients over some seconds.
        { hasty: { upTo: 30_000, by: 10 } }
      )
    )

    it.scoped("is connecting, replaying and live, in this order, and gives what there was before what comes", () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        yield* Requests.add(server, "s", { events: [{ data: "1" }, { data: "2" }] })
        const { open } = yield* Chromium.tabs
        const follower = yield* Follower.opened({ open }, `${server.url}/healthz`, { from: "start" })
        assert.deepEqual(yield* follower.data, ["1", "2"])
        yield* Requests.add(server, "s", { data: "3" })
        yield* follower.sees("3")
        yield* follower.assertWhole(server)
        assert.deepEqual(yield* follower.states, ["connecting", "replaying", "live"])
        assert.deepEqual(yield* follower.page.run("others"), ["live"])
      })
    )
  })
})
