import * as assert from "node:assert/strict"
import { describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import * as ServerProcess from "../../scenarios/ServerProcess.ts"
import * as Chromium from "../Chromium.ts"
import * as Connections from "./Connections.ts"
import * as Follower from "./Follower.ts"
import * as Front from "./Front.ts"

/** A page of its own origin, that has one event; and more tabs as it. */
const opened = (options: Follower.Options) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started()
    yield* Requests.add(server, "s", { data: "before" })
    const front = yield* Front.make(server.url)
    const tabs = yield* Chromium.tabs
    const open = Follower.opened(tabs, front.blank, { from: "start", ...options })
    return { follower: yield* open, front, open, server } as const
  })

/** The page is left, `meanwhile` goes on, and it comes back as it was. */
const away = (
  { page }: Follower.Follower,
  front: { readonly url: string },
  meanwhile: Effect.Effect<unknown>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* page.goto(`${front.url}/healthz`)
    yield* meanwhile
    yield* page.back
    yield* page.until("persisted.at(-1)")
    assert.deepEqual(yield* page.run("persisted"), [false, true])
    yield* page.until(Follower.isLive)
  })

describe.concurrent("a page with the SDK that was left and comes back from the bfcache", () => {
  layer(Chromium.layerWithBackForwardCache, { excludeTestServices: true })((it) => {
    for (const [kind, options] of [
      ["", {}],
      [", also with a storage", { storage: "x" }]
    ] as const) {
      it.scoped(`had no connection meanwhile, and has all events once${kind} (promise 2, S113)`, () =>
        Effect.gen(function* () {
          const { follower, front, server } = yield* opened(options)
          const meanwhile = Effect.gen(function* () {
            yield* Connections.until(server, (tokens) => tokens.length === 0)
            yield* Requests.add(server, "s", { events: [{ data: "1" }, { data: "2" }] })
          })
          yield* away(follower, front, meanwhile)
          yield* Requests.add(server, "s", { data: "after" })
          yield* follower.sees("after")
          yield* follower.assertWhole(server)
          assert.equal((yield* Connections.tokens(server)).length, 1)
        })
      )
    }

    it.scoped("led other tabs, which went on without it, and has all events once (promise 2, S122)", () =>
      Effect.gen(function* () {
        const { follower, front, open, server } = yield* opened({ isShared: true })
        const other = yield* open
        const stream = yield* Connections.another(server, [])
        const meanwhile = Effect.gen(function* () {
          yield* Connections.another(server, stream)
          yield* other.live
          yield* Requests.add(server, "s", { events: [{ data: "1" }, { data: "2" }] })
          yield* other.sees("2")
        })
        yield* away(follower, front, meanwhile)
        yield* Requests.add(server, "s", { data: "after" })
        for (const { assertWhole, sees } of [follower, other]) {
          yield* sees("after")
          yield* assertWhole(server)
        }
        assert.equal((yield* Connections.tokens(server)).length, 1)
        // One for each that led: a browser that may store streams asks for the second one twice.
        assert.equal(front.streams(), 2)
      })
    )
  })
})
