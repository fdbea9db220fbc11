import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope } from "effect"
import * as BrowserClient from "../../../src/client/browser/BrowserClient.ts"
import { RequestFailed } from "../../../src/client/browser/RequestFailed.ts"
import * as Call from "../../http/Call.ts"
import * as Engines from "../../http/Engines.ts"
import * as Processes from "../../http/Processes.ts"
import * as Sluice from "../../http/Sluice.ts"
import * as Requests from "../../scenarios/Requests.ts"
import * as Client from "./Client.ts"
import { hasty } from "./FakeTimers.ts"

const lives = (count: number) => (items: ReadonlyArray<Client.Item>) =>
  items.filter(({ type }) => type === "live").length >= count

const pagesOf = <A>(pages: AsyncIterable<A>) =>
  Effect.promise(async () => {
    const all: Array<A> = []
    for await (const page of pages) all.push(page)
    return all
  })

describe("a client of one session", () => {
  it.scopedLive("gives what the log has and what comes, once, in order, as it is stored", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { epoch } = yield* sluice.add("a", { events: [{ name: "n", data: "text\nü" }, { data: { x: 1 } }] })
      const { has, statuses } = yield* Client.follow({
        url: `${sluice.url}/`,
        sessions: [{ session: "a", from: "start" }]
      })
      yield* has(lives(1))
      yield* sluice.add("a", { data: "more" })
      const items = yield* has((items) => items.length === 4)
      assert.deepEqual(items, [
        { type: "event", session: "a", epoch, seq: 1, name: "n", data: "text\nü" },
        { type: "event", session: "a", epoch, seq: 2, name: "message", data: '{"x":1}' },
        { type: "live", session: "a", cursor: { epoch, seq: 2 } },
        { type: "event", session: "a", epoch, seq: 3, name: "message", data: "more" }
      ])
      assert.deepEqual(
        statuses.map(({ state }) => state),
        ["connecting", "replaying", "live"]
      )
    })
  )

  it.scopedLive("begins at the head unless it is told, and after a cursor", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const epoch = yield* sluice.fill("a", 3)
      const atHead = yield* Client.follow({ url: sluice.url, sessions: ["a"] })
      const after = yield* Client.follow({ url: sluice.url, sessions: [{ session: "a", from: { epoch, seq: 2 } }] })
      assert.deepEqual(yield* atHead.has(lives(1)), [{ type: "live", session: "a", cursor: { epoch, seq: 3 } }])
      assert.deepEqual(Client.dataOf(yield* after.has(lives(1)), "a"), ["3"])
    })
  )

  it.scopedLive("gets a gap with what loads it in pages, while live events come (S112)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { replayCap: 10 } })
      const epoch = yield* sluice.fill("a", 2500)
      const following = yield* Client.follow({ url: sluice.url, sessions: [{ session: "a", from: "start" }] })
      const gap = yield* following.first("gap")
      assert.deepEqual(gap.gap, { epoch, after: 0, next: 2491, missed: 2490, reason: "cap" })
      const pages = gap.history()[Symbol.asyncIterator]()
      const first = yield* Effect.promise(() => pages.next())
      // The history is not at its end, and nothing waits for it.
      yield* sluice.add("a", { data: "meanwhile" })
      const items = yield* following.has((items) => Client.dataOf(items, "a").includes("meanwhile"))
      assert.deepEqual(Client.dataOf(items, "a"), [...Sluice.range(2491, 2500), "meanwhile"])
      const rest = yield* pagesOf({ [Symbol.asyncIterator]: () => pages })
      const all = first.done ? assert.fail("no page") : [first.value, ...rest]
      assert.deepEqual(
        all.map(({ events }) => events.length),
        [1000, 1000, 490]
      )
      assert.deepEqual(
        all.flatMap(({ events }) => events.map(({ data }) => data)),
        Sluice.range(1, 2490)
      )
      const part = yield* pagesOf(following.client.history("a", { after: 5, before: 8 }))
      assert.deepEqual(
        part.map(({ events }) => events.map(({ data }) => data)),
        [["6", "7"]]
      )
      const whole = yield* pagesOf(following.client.history("a"))
      assert.equal(whole.flatMap(({ events }) => events).length, 2501)
    })
  )

  it.scopedLive("is told when its session ends, and does not return to it (S110)", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make()
      const child = yield* sluice.attach("a")
      const asked: Array<string> = []
      const counting: typeof fetch = (input, init) => {
        asked.push(String(input))
        return fetch(input, init)
      }
      const following = yield* Client.follow({ url: sluice.url, sessions: ["a"], fetch: counting, timers: hasty })
      yield* following.has(lives(1))
      yield* child.end()
      assert.equal(yield* following.ended, undefined)
      const { epoch, seq } = Client.eventsOf(following.items, "a").at(-1) ?? assert.fail("no event")
      assert.deepEqual(following.items.at(-1), { type: "end", session: "a", cursor: { epoch, seq }, reason: "ended" })
      assert.deepEqual(following.client.status, { state: "ended" })
      assert.equal(asked.length, 1)
      // Another client that has all of it already: 204.
      const again = yield* Client.follow({
        url: sluice.url,
        sessions: [{ session: "a", from: { epoch, seq } }],
        timers: hasty
      })
      assert.equal(yield* again.ended, undefined)
      assert.deepEqual(again.items, [{ type: "end", session: "a", cursor: undefined, reason: "ended" }])
      assert.deepEqual(yield* Effect.promise(() => again.client.send(1)), {
        type: "unsent",
        reason: "ended",
        mayBeStored: false
      })
    })
  )

  it.scopedLive("hears that another connection writes to its session now", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.fill("a", 1)
      const one = yield* Client.follow({ url: sluice.url, sessions: ["a"] })
      const other = yield* Client.follow({ url: sluice.url, sessions: ["a", "b"] })
      yield* one.has(lives(1))
      yield* other.has(lives(2))
      assert.equal((yield* Effect.promise(() => one.client.send("one"))).type, "accepted")
      assert.equal((yield* Effect.promise(() => other.client.send("other", { session: "a" }))).type, "accepted")
      assert.deepEqual(yield* one.first("owner"), { type: "owner", session: "a" })
      assert.equal((yield* Effect.promise(() => one.client.send("one again"))).type, "accepted")
      assert.deepEqual(yield* other.first("owner"), { type: "owner", session: "a" })
    })
  )

  it.scopedLive("that is refused is told so, with status and code, and does not try again", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ http: { apiKey: Redacted.make("right") } })
      let tries = 0
      const counting: typeof fetch = (input, init) => {
        tries += 1
        return fetch(input, init)
      }
      const options = { url: sluice.url, sessions: ["a"], fetch: counting, timers: hasty }
      const { client, ended } = yield* Client.follow({ ...options, key: "wrong" })
      const sent = client.send("waits")
      const failure = yield* ended
      assert.ok(failure instanceof RequestFailed)
      assert.deepEqual([failure.status, failure.code], [401, "UNAUTHORIZED"])
      assert.deepEqual(client.status, {
        state: "failed",
        reason: "a valid API key is needed",
        status: 401,
        code: "UNAUTHORIZED"
      })
      assert.deepEqual(yield* Effect.promise(() => sent), { type: "unsent", reason: "failed", mayBeStored: false })
      assert.equal(tries, 1)
      const allowed = yield* Client.follow({ ...options, key: "right" })
      yield* allowed.has(lives(1))
    })
  )

  it.scopedLive("returns to a server that was started again on the same file, and misses nothing", () =>
    Effect.gen(function* () {
      const store = yield* Engines.sqlite
      const before = yield* Scope.make()
      const first = yield* Scope.extend(Sluice.make({ store }), before)
      const listen = { port: Number(new URL(first.url).port) }
      yield* first.fill("a", 3)
      const following = yield* Client.follow({
        url: first.url,
        sessions: [{ session: "a", from: "start" }],
        timers: hasty
      })
      yield* following.has(lives(1))
      yield* Scope.close(before, Exit.void)
      const second = yield* Sluice.make({ store, listen })
      // On a connection of its own: those of the first server are gone.
      yield* Requests.add(second, "a", { events: Sluice.numbered(4, 3) })
      const items = yield* following.has((items) => Client.dataOf(items, "a").length === 6)
      assert.deepEqual(Client.dataOf(items, "a"), Sluice.range(1, 6))
      yield* following.until("live")
      assert.ok(following.statuses.some((status) => status.state === "offline" && /goodbye/.test(status.reason)))
    })
  )
})

describe("a client of several sessions", () => {
  it.scopedLive("begins in each where it is told, and goes on with the others when one ends", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make()
      const child = yield* sluice.attach("b")
      yield* sluice.fill("a", 3)
      yield* sluice.fill("c.x~y", 3)
      const following = yield* Client.follow({
        url: sluice.url,
        sessions: [{ session: "a", from: "start" }, "b", "c.x~y", "unborn"],
        timers: hasty
      })
      yield* following.has(lives(4))
      assert.equal(following.client.status.state, "live")
      yield* child.end()
      assert.equal((yield* following.first("end")).session, "b")
      // A new connection asks for the others only.
      const { connections } = Call.json(yield* sluice.call("/v1/connections"))
      const [connection] = Array.isArray(connections) ? connections : []
      yield* sluice.call(`/v1/connections/${connection.token}`, { method: "DELETE" })
      yield* following.has(lives(7))
      yield* sluice.add("c.x~y", { data: "4" })
      yield* sluice.add("a", { data: "4" })
      yield* sluice.add("unborn", { data: "born" })
      const items = yield* following.has(
        (items) =>
          Client.dataOf(items, "a").length === 4 &&
          items.some((item) => item.session === "unborn" && item.type === "event")
      )
      assert.deepEqual(Client.dataOf(items, "a"), Sluice.range(1, 4))
      assert.deepEqual(Client.dataOf(items, "c.x~y"), ["4"])
      assert.equal(items.filter(({ type }) => type === "end").length, 1)
      assert.equal(following.client.status.state, "live")
    })
  )

  it("must be 1 to 100", () => {
    const connect = (sessions: ReadonlyArray<string>) => BrowserClient.connect({ url: "http://127.0.0.1:9", sessions })
    assert.throws(() => connect([]), TypeError)
    assert.throws(() => connect(Sluice.range(1, 101)), TypeError)
    assert.throws(() => connect(["no id"]), TypeError)
  })

  it("begin at the start, at the head, or behind a cursor, and nowhere else", () => {
    const connect = (from: string | { readonly epoch: string; readonly seq: number }) =>
      BrowserClient.connect({ url: "http://127.0.0.1:9", sessions: [{ session: "a", from }] })
    for (const from of ["start", "head", "e.3", { epoch: "e", seq: 3 }]) connect(from).close()
    for (const from of ["middle", "", "e.-1", { epoch: "e", seq: -1 }]) assert.throws(() => connect(from), TypeError)
  })
})
