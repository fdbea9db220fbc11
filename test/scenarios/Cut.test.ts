import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import * as CuttingProxy from "./CuttingProxy.ts"
import * as Following from "./Following.ts"
import * as Requests from "./Requests.ts"
import * as ServerProcess from "./ServerProcess.ts"

const cuts = 150
const last = "the last event"

const data = (count: number) => `event ${count}\n${"ü".repeat(count % 300)}`

/** Where connections of a test end: from within the head of the response to far into the events. */
const ends = Effect.map(
  Effect.forEach(Array.from({ length: cuts }), () =>
    Effect.flatMap(Random.nextIntBetween(1, 15), (power) => Random.nextIntBetween(1, 2 ** power + 1))
  ),
  (all) => () => all.pop() ?? Number.POSITIVE_INFINITY
)

/** Appends without a pause while `path` is followed through a proxy that cuts; what was seen, and what is stored. */
const follow = (path: string) =>
  Effect.gen(function* () {
    const server = yield* ServerProcess.started({ SLUICE_REPLAY_CAP: "1000000" })
    yield* Requests.add(server, "s", { data: data(0) })
    const proxy = yield* CuttingProxy.make(server.url, yield* ends)
    const following = yield* Effect.fork(
      Following.follow({ url: proxy.url, up: Effect.void }, path, (event) => event.data.includes(last))
    )
    yield* Effect.iterate(1, {
      while: (count) => proxy.cuts() < cuts && count < 100_000,
      body: (count) =>
        Effect.as(Requests.add(server, "s", { events: [{ data: data(count) }, { data: data(count * 7) }] }), count + 1)
    })
    yield* Requests.add(server, "s", { data: last })
    const followed = yield* Fiber.join(following)
    assert.equal(proxy.cuts(), cuts)
    assert.deepEqual(Following.named(followed, "sluice.gap"), [])
    return { followed, log: yield* Requests.history(server, "s") }
  }).pipe(Effect.withRandom(Random.make(path)))

describe("a client whose connections are cut at random bytes, while events are appended throughout", () => {
  it.scopedLive("gets each event once and in order on the stream of one session (promise 2, S111)", () =>
    Effect.gen(function* () {
      const { followed, log } = yield* follow("/v1/sessions/s/stream?from=start")
      assert.deepEqual(
        followed.frames.filter(Following.isEvent).map(({ data, lastId }) => ({ data, lastId })),
        log.events.map(({ data, seq }) => ({ data, lastId: `${log.epoch}.${seq}` }))
      )
    })
  )

  it.scopedLive("loses none on a stream over several, whose last batch may come again (promise 2, S111)", () =>
    Effect.gen(function* () {
      const { followed, log } = yield* follow("/v1/stream?from=start&session=s")
      const { epoch, events } = log
      assert.deepEqual(
        Following.unwrapped(followed, "s"),
        events.map((event) => ({ session: "s", epoch, ...event }))
      )
    })
  )
})
