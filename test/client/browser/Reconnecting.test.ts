import * as assert from "node:assert/strict"
import { describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import * as BrowserClient from "../../../src/client/browser/BrowserClient.ts"
import { RequestFailed } from "../../../src/client/browser/RequestFailed.ts"
import * as Client from "./Client.ts"
import * as FakeTimers from "./FakeTimers.ts"
import * as ScriptedFetch from "./ScriptedFetch.ts"

const url = "http://sluice.example"

/** Over a scripted network, in a time that stands still. */
const make = (random?: () => number) =>
  Effect.gen(function* () {
    const timers = FakeTimers.make(random)
    const network = ScriptedFetch.make()
    const following = yield* Client.follow({ url, sessions: ["s"], fetch: network.fetch, timers })
    return { ...following, ...network, timers } as const
  })

/** Milliseconds until the next try. */
const waitOf = (status: Client.Status, timers: FakeTimers.FakeTimers): number =>
  status.state === "offline" && status.nextTry !== undefined ? status.nextTry - timers.now() : assert.fail(status.state)

const assertState = ({ status }: BrowserClient.BrowserClient, state: Client.Status["state"]) =>
  assert.equal(status.state, state)

describe("a client", () => {
  it.scoped("is connected only after hello, and live when it has what there was (S109)", () =>
    Effect.gen(function* () {
      const { client, request } = yield* make()
      const stream = yield* request(0)
      assert.equal(stream.url, `${url}/v1/stream?from=head&session=s`)
      assert.equal(stream.headers.get("accept"), "text/event-stream")
      stream.open()
      yield* stream.write(": the head of the answer and a byte\n\n")
      assertState(client, "connecting")
      yield* stream.write(ScriptedFetch.hello(0))
      assertState(client, "replaying")
      yield* stream.write(ScriptedFetch.event(1))
      assertState(client, "replaying")
      yield* stream.write(ScriptedFetch.live(1))
      assertState(client, "live")
    })
  )

  it.scoped("ignores whatever still comes of a connection that was replaced (S109)", () =>
    Effect.gen(function* () {
      const { client, items, request, timers, until } = yield* make()
      const first = yield* request(0)
      timers.advance(37_500)
      yield* until("offline")
      assert.equal(first.signal?.aborted, true)
      timers.advance(0)
      const second = yield* request(1)
      first.open() // its network knows no abort
      second.open()
      yield* second.write(ScriptedFetch.hello(0) + ScriptedFetch.event(1))
      yield* ScriptedFetch.settled
      assertState(client, "replaying")
      assert.deepEqual(Client.dataOf(items, "s"), ["1"])
      timers.advance(37_500)
      yield* until("offline")
      timers.advance(0)
      const third = yield* request(2)
      second.fail(new Error("late"))
      third.open()
      yield* third.write(ScriptedFetch.hello(1) + ScriptedFetch.live(1))
      assertState(client, "live")
      assert.equal(third.headers.get("last-event-id"), "s.e.1")
    })
  )

  it.scoped("waits at random up to a bound that doubles, at most 30 s (S110)", () =>
    Effect.gen(function* () {
      const { changed, request, timers } = yield* make(() => 0.999_999)
      const waits: Array<number> = []
      for (let tries = 0; tries < 9; tries++) {
        const stream = yield* request(tries)
        const offline = yield* Effect.fork(changed)
        yield* Effect.yieldNow()
        stream.fail(new TypeError("fetch failed"))
        const wait = waitOf(yield* offline, timers)
        waits.push(wait)
        timers.advance(wait)
      }
      assert.deepEqual(waits, [499, 999, 1999, 3999, 7999, 15999, 29999, 29999, 29999])
    })
  )

  it.scoped("never comes back sooner than hello, goodbye or Retry-After ask for (S110)", () =>
    Effect.gen(function* () {
      const { request, timers, until } = yield* make()
      const first = yield* request(0)
      first.open()
      yield* first.write(ScriptedFetch.hello(0, { retry: 5000 }))
      first.end()
      assert.equal(waitOf(yield* until("offline"), timers), 5000)
      timers.advance(4999)
      yield* ScriptedFetch.settled
      assert.equal(timers.pending(), 1)
      timers.advance(1)
      const second = yield* request(1)
      second.open()
      yield* second.write(ScriptedFetch.hello(0, { retry: 5000 }) + ScriptedFetch.bye(7000))
      second.end()
      const goodbye = yield* until("offline")
      assert.equal(waitOf(goodbye, timers), 7000)
      assert.equal(goodbye.state === "offline" && goodbye.reason, "goodbye (shutdown)")
      timers.advance(7000)
      const third = yield* request(2)
      third.answer(new Response("", { status: 503, headers: { "retry-after": "9" } }))
      assert.equal(waitOf(yield* until("offline"), timers), 9000)
    })
  )

  it.scoped("is one of 1,000 that spread out (S110)", () =>
    Effect.gen(function* () {
      let seed = 1
      const random = () => {
        seed = (seed * 48_271) % 2_147_483_647
        return seed / 2_147_483_647
      }
      const timers = FakeTimers.make(random)
      const refused: typeof fetch = () => Promise.reject(new TypeError("fetch failed"))
      const clients = Array.from({ length: 1000 }, () =>
        BrowserClient.connect({ url, sessions: ["s"], fetch: refused, timers })
      )
      for (let tries = 0; tries < 5; tries++) {
        yield* ScriptedFetch.settled
        timers.advance(8000)
      }
      yield* ScriptedFetch.settled
      const tenths = new Map<number, number>()
      for (const { status } of clients) {
        const tenth = Math.floor(waitOf(status, timers) / 1600)
        tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1)
      }
      for (const client of clients) client.close()
      assert.deepEqual(Array.from(tenths.keys()).sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      for (const count of tenths.values()) assert.ok(count > 50 && count < 200, `${count}`)
      assert.equal(timers.pending(), 0)
    })
  )

  it.scoped("takes 37.5 s without a byte for a dead connection; a comment is a byte (S113)", () =>
    Effect.gen(function* () {
      const { client, request, timers, until } = yield* make()
      const stream = yield* request(0)
      stream.open()
      yield* stream.write(ScriptedFetch.hello(0) + ScriptedFetch.live(0))
      timers.advance(37_499)
      yield* stream.write(": heartbeat\n\n")
      timers.advance(37_499)
      yield* ScriptedFetch.settled
      assertState(client, "live")
      timers.advance(1)
      const offline = yield* until("offline")
      assert.equal(offline.state === "offline" && offline.reason, "silent for 37.5 s")
      assert.equal(stream.signal?.aborted, true)
    })
  )

  it.scoped("counts a silence by its timer, also where that is early or the clock is set back", () =>
    Effect.gen(function* () {
      const timers = FakeTimers.make(() => 0.5)
      let isBack = false
      const odd = { ...timers, now: () => timers.now() - (isBack ? 900_000 : 0) }
      const network = ScriptedFetch.make()
      const { client, until } = yield* Client.follow({ url, sessions: ["s"], fetch: network.fetch, timers: odd })
      const stream = yield* network.request(0)
      stream.open()
      yield* stream.write(ScriptedFetch.hello(0) + ScriptedFetch.live(0))
      const sent = client.send("x")
      const post = yield* network.request(1)
      post.answer(new Response("{}", { status: 503 }))
      yield* ScriptedFetch.settled
      isBack = true
      timers.advance(500)
      const again = yield* network.request(2)
      again.answer(new Response('{"seq":1}', { status: 202 }))
      assert.equal((yield* Effect.promise(() => sent)).type, "accepted")
      timers.advance(37_500)
      yield* until("offline")
    })
  )

  for (const [sign, tell] of [
    ["becomes visible", (window: EventTarget) => window.dispatchEvent(new Event("visibilitychange"))],
    [
      "returns from the bfcache",
      (window: EventTarget) => window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }))
    ],
    ["is online again", (window: EventTarget) => window.dispatchEvent(new Event("online"))]
  ] as const) {
    it.scoped(`looks at once whether its connection is dead when the page ${sign} (S113)`, () =>
      Effect.gen(function* () {
        const timers = FakeTimers.make()
        const network = ScriptedFetch.make()
        const window = new EventTarget()
        const { client, until } = yield* Client.follow({
          url,
          sessions: ["s"],
          fetch: network.fetch,
          timers,
          page: window
        })
        const stream = yield* network.request(0)
        stream.open()
        yield* stream.write(ScriptedFetch.hello(0, { retry: 3000 }) + ScriptedFetch.live(0))
        timers.jump(37_499)
        tell(window)
        yield* ScriptedFetch.settled
        assertState(client, "live")
        timers.jump(1)
        tell(window)
        assert.equal(waitOf(yield* until("offline"), timers), 3000)
      })
    )
  }

  it.scoped("tries at once when the page returns, unless the server asked for more patience", () =>
    Effect.gen(function* () {
      const timers = FakeTimers.make(() => 0.9)
      const network = ScriptedFetch.make()
      const window = new EventTarget()
      const page = window
      const { until } = yield* Client.follow({ url, sessions: ["s"], fetch: network.fetch, timers, page })
      const first = yield* network.request(0)
      first.fail(new TypeError("fetch failed"))
      assert.equal(waitOf(yield* until("offline"), timers), 450)
      window.dispatchEvent(new Event("online"))
      timers.advance(0)
      const second = yield* network.request(1)
      second.answer(new Response("", { status: 503, headers: { "retry-after": "9" } }))
      assert.equal(waitOf(yield* until("offline"), timers), 9900)
      window.dispatchEvent(new Event("online"))
      assert.equal(waitOf(yield* until("offline"), timers), 9000)
    })
  )

  it.scoped("gives its connection up when the network is gone, and tries at once when it is back", () =>
    Effect.gen(function* () {
      const page = new EventTarget()
      const network = ScriptedFetch.make()
      const timers = FakeTimers.make(() => 0.5)
      const { client, until } = yield* Client.follow({ url, sessions: ["s"], fetch: network.fetch, timers, page })
      const stream = yield* network.request(0)
      stream.open()
      yield* stream.write(ScriptedFetch.hello(0) + ScriptedFetch.live(0))
      page.dispatchEvent(new Event("offline"))
      const offline = yield* until("offline")
      assert.deepEqual(offline, { state: "offline", reason: "no network", nextTry: timers.now() + 250 })
      page.dispatchEvent(new Event("online"))
      timers.advance(0)
      yield* network.request(1)
      assertState(client, "connecting")
    })
  )

  it.scoped("holds no connection in the bfcache, and comes back at once when it leaves it", () =>
    Effect.gen(function* () {
      const page = new EventTarget()
      const turn = (name: string) => page.dispatchEvent(Object.assign(new Event(name), { persisted: true }))
      for (const at of ["live", "offline"] as const) {
        const network = ScriptedFetch.make()
        const timers = FakeTimers.make(() => 0.5)
        const { client, until } = yield* Client.follow({ url, sessions: ["s"], fetch: network.fetch, timers, page })
        const stream = yield* network.request(0)
        if (at === "live") {
          stream.open()
          yield* stream.write(ScriptedFetch.hello(0) + ScriptedFetch.live(0))
        } else stream.fail(new TypeError("fetch failed"))
        yield* ScriptedFetch.settled
        turn("pagehide")
        yield* until("offline")
        assert.equal(stream.signal?.aborted, true)
        timers.advance(60_000)
        page.dispatchEvent(new Event("online"))
        yield* ScriptedFetch.settled
        assert.equal(network.count(), 1)
        turn("pageshow")
        timers.advance(0)
        yield* network.request(1)
        client.close()
      }
    })
  )

  it.scoped("reads no more while 1,000 items wait for their consumer, and goes on when there is room", () =>
    Effect.gen(function* () {
      const network = ScriptedFetch.make()
      const { client } = yield* Client.connect({
        url,
        sessions: ["s"],
        fetch: network.fetch,
        timers: FakeTimers.make()
      })
      const stream = yield* network.request(0)
      stream.open()
      yield* stream.write(ScriptedFetch.hello(0))
      let taken = 0
      const events = Array.from({ length: 1200 }, (_, index) => ScriptedFetch.event(index + 1))
      const feeding = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 12 }, (_, page) => events.slice(page * 100, page * 100 + 100).join("")),
          (piece) => Effect.map(stream.write(piece), () => (taken += 1))
        )
      )
      yield* ScriptedFetch.settled
      assert.equal(taken, 9) // the tenth is not asked behind
      const iterator = client[Symbol.asyncIterator]()
      const seqs: Array<number> = []
      for (let count = 0; count < 1200; count++) {
        const { value } = yield* Effect.promise(() => iterator.next())
        if (value?.type === "event") seqs.push(value.seq)
        if (count === 0) {
          yield* ScriptedFetch.settled
          assert.equal(taken, 10)
        }
      }
      yield* feeding
      assert.deepEqual(
        seqs,
        events.map((_, index) => index + 1)
      )
    })
  )

  it.scoped("may be closed by who listens to its status, and makes no further connection", () =>
    Effect.gen(function* () {
      const written = vi.spyOn(console, "error").mockImplementation(() => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => written.mockRestore()))
      for (const state of ["offline", "connecting"] as const) {
        const timers = FakeTimers.make(() => 0.5)
        const network = ScriptedFetch.make()
        const { client, until } = yield* Client.connect({ url, sessions: ["s"], fetch: network.fetch, timers })
        const stream = yield* network.request(0)
        let offlines = 0
        client.onStatus((status) => {
          if (status.state === "offline") offlines += 1
          if (status.state === state) client.close()
        })
        client.onStatus(() => {
          throw new Error("a bug of the app's")
        })
        stream.fail(new Error("gone"))
        yield* ScriptedFetch.settled
        timers.advance(250)
        yield* until("closed")
        yield* ScriptedFetch.settled
        assert.equal(offlines, 1)
        assert.ok(written.mock.calls.length > 0)
        assert.equal(network.count(), 1)
        assert.equal(timers.pending(), 0)
      }
    })
  )

  it.scoped("leaves nothing behind when it is closed, wherever it is", () =>
    Effect.gen(function* () {
      for (const at of ["connecting", "live", "offline", "full"] as const) {
        const timers = FakeTimers.make(() => 0.5)
        const network = ScriptedFetch.make()
        const heard = new Set<string>()
        const window = new EventTarget()
        const listening: Pick<EventTarget, "addEventListener" | "removeEventListener"> = {
          addEventListener: (name: string) => void heard.add(name),
          removeEventListener: (name: string) => void heard.delete(name)
        }
        const page = Object.assign(window, listening)
        const { client } = yield* Client.connect({ url, sessions: ["s"], fetch: network.fetch, timers, page })
        const stream = yield* network.request(0)
        if (at === "offline") stream.fail(new Error("gone"))
        if (at === "live" || at === "full") {
          stream.open()
          yield* stream.write(ScriptedFetch.hello(0) + ScriptedFetch.live(0))
        }
        if (at === "full") {
          yield* Effect.fork(stream.write(Array.from({ length: 1000 }, (_, n) => ScriptedFetch.event(n + 1)).join("")))
        }
        yield* ScriptedFetch.settled
        assert.ok(heard.size > 0)
        const sent = client.send("x")
        const stopped = client.stop()
        const next = at === "full" ? undefined : client[Symbol.asyncIterator]()
        const pending = at === "live" || at === "full" ? undefined : next?.next()
        yield* ScriptedFetch.settled
        client.close()
        client.close()
        const result = yield* Effect.promise(() => sent)
        const isPosted = at === "live" || at === "full"
        assert.deepEqual(result, { type: "unsent", reason: "closed", mayBeStored: isPosted })
        assert.equal((yield* Effect.promise(() => stopped)).type, "failed")
        if (pending !== undefined)
          assert.deepEqual(yield* Effect.promise(() => pending), { done: true, value: undefined })
        const end = yield* Effect.promise(() => client[Symbol.asyncIterator]().next())
        assert.deepEqual(end, { done: true, value: undefined })
        yield* ScriptedFetch.settled
        assert.deepEqual(client.status, { state: "closed" })
        assert.equal(timers.pending(), 0, at)
        assert.equal(heard.size, 0, at)
        assert.equal(stream.signal?.aborted, true, at)
        const history = client.history("s")[Symbol.asyncIterator]()
        const failure = yield* Effect.promise(() =>
          history.next().then(
            () => "a page",
            (failure: unknown) => failure
          )
        )
        assert.ok(failure instanceof RequestFailed && failure.message === "closed")
      }
    })
  )
})
