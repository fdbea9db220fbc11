import * as assert from "node:assert/strict"
import { describe, layer } from "@effect/vitest"
import { Effect, Random } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import * as ServerProcess from "../../scenarios/ServerProcess.ts"
import * as Chromium from "../Chromium.ts"
import * as Appending from "./Appending.ts"
import * as Follower from "./Follower.ts"
import * as Front from "./Front.ts"

/** A page on a session, behind a network that goes these ways. */
const behind = (
  ways: ReadonlyArray<Front.Way>,
  options: Follower.Options = {},
  settings: Readonly<Record<string, string>> = {}
) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started({ SLUICE_REPLAY_CAP: "1000000", ...settings })
    const front = yield* Front.make(server.url, { ways })
    const { open } = yield* Chromium.tabs
    const page = yield* open(front.blank)
    const follow = Follower.start(page, { from: "start", ...options })
    return { follow, front, server } as const
  })

/** What the server asks to wait between two connections. */
const hasty = { upTo: 2000, by: 100 }

/** Draws numbers by a known seed, outside of the world of effects. */
const drawn = (count: number, draw: Effect.Effect<number>) =>
  Effect.runSync(Effect.withRandom(Effect.replicateEffect(draw, count), Random.make("network")))

/** Counts the pieces of a stream that end in the middle of a character. */
const countsHalves = `fetch: async (url, init) => {
  window.halves ??= 0
  const response = await fetch(url, init)
  if (!String(url).startsWith("/v1/stream")) return response
  const count = new TransformStream({
    transform: (piece, out) => {
      if (new TextDecoder().decode(piece, { stream: true }) !== new TextDecoder().decode(piece)) halves++
      out.enqueue(piece)
    }
  })
  return new Response(response.body.pipeThrough(count), response)
},`

describe.concurrent("the SDK in Chromium, on a bad network", () => {
  layer(Chromium.layer, { excludeTestServices: true })((it) => {
    it.scoped("gets all in order when it trickles, cut within frames and characters", () =>
      Effect.gen(function* () {
        const sizes = drawn(1000, Random.nextIntBetween(1, 1025))
        let turn = 0
        const { follow, server } = yield* behind([Front.inPieces(() => sizes[turn++ % sizes.length] ?? 1)], {
          more: countsHalves
        })
        const events = Array.from({ length: 150 }, (_, index) => ({ data: `${index}\n${"ü€😀".repeat(index % 100)}` }))
        yield* Requests.add(server, "s", { events })
        const follower = yield* follow
        yield* follower.live
        yield* Requests.add(server, "s", { events: [...events, { data: Appending.last }] })
        yield* follower.sees(Appending.last)
        yield* follower.assertWhole(server)
        assert.deepEqual(yield* follower.states, ["connecting", "replaying", "live"])
        assert.ok(Number(yield* follower.page.run("halves")) > 0)
      })
    )

    it.scoped("comes back when a stream falls silent, or never begins, and misses nothing (S113)", () =>
      Effect.gen(function* () {
        const { follow, front, server } = yield* behind(
          [Front.silentAfter(/^event: sluice\.live\n.*\n\n/m), Front.silent],
          { hasty },
          { HEARTBEAT_INTERVAL_SECONDS: "1" }
        )
        yield* Requests.add(server, "s", { data: "before" })
        const follower = yield* follow
        yield* follower.live
        yield* Requests.add(server, "s", { data: "meanwhile" })
        yield* follower.sees("meanwhile")
        yield* follower.live
        yield* follower.assertWhole(server)
        assert.equal(front.streams(), 3)
        const silence = "silent for 2.5 s"
        assert.deepEqual(yield* follower.page.run("reasons"), [silence, silence])
      })
    )

    it.scoped("gets each event once and in order through many cuts at random bytes (promise 2, S111)", () =>
      Effect.gen(function* () {
        const cuts = 60
        const ends = drawn(
          cuts,
          Effect.flatMap(Random.nextIntBetween(3, 14), (power) => Random.nextIntBetween(0, 2 ** power))
        )
        const { follow, front, server } = yield* behind(ends.map(Front.cutAt), { hasty })
        const follower = yield* Appending.during(
          server,
          Effect.gen(function* () {
            const follower = yield* follow
            // Also a status is only heard from a stream that is not cut before it.
            yield* follower.page.until(`states.filter((state) => state === "offline").length >= ${cuts}`)
            yield* follower.seesMore
            return follower
          })
        )
        yield* follower.sees(Appending.last)
        yield* follower.assertWhole(server)
        assert.equal(front.streams(), cuts + 1)
      })
    )

    it.scoped("is offline when the network is gone, live again when it is back, and has missed nothing", () =>
      Effect.gen(function* () {
        const server = yield* ServerProcess.started()
        const tabs = yield* Chromium.tabs
        const followers = yield* Effect.forEach([false, true, true], (isShared) =>
          Follower.opened(tabs, `${server.url}/healthz`, { from: "start", isShared })
        )
        const [single, leading, led] = followers
        assert.ok(single && leading && led)
        yield* Requests.add(server, "s", { data: "before" })
        for (const { sees } of followers) yield* sees("before")
        yield* tabs.goOffline
        for (const { offline } of followers) yield* offline
        yield* Requests.add(server, "s", { events: [{ data: "1" }, { data: "2" }] })
        // It stays a while, with tries that fail.
        yield* single.page.until(`states.filter((state) => state === "offline").length > 1`)
        const sending = yield* led.page.run(`{ window.sent = client.send("from the dark"); true }`)
        assert.equal(sending, true)
        assert.deepEqual(yield* single.data, ["before"])
        yield* tabs.goOnline
        for (const { live } of followers) yield* live
        assert.deepEqual(yield* led.page.run("sent.then(({ type }) => type)"), "accepted")
        yield* Requests.add(server, "s", { data: "after" })
        for (const { assertWhole, sees } of followers) {
          yield* sees("after")
          yield* assertWhole(server)
        }
      })
    )
  })
})
