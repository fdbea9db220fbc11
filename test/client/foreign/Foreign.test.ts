import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Exit, Random, Scope } from "effect"
import * as Call from "../../http/Call.ts"
import * as Engines from "../../http/Engines.ts"
import * as Sluice from "../../http/Sluice.ts"
import { clients, ownWait } from "./Clients.ts"
import * as Front from "./Front.ts"
import { dataOf, named, numbered } from "./Heard.ts"
import type { Reader } from "./Notes.ts"

const one = "/v1/sessions/a/stream?from=start"
const several = "/v1/stream?session=a&session=b&from=start"
const cuts = 20

/** Waits for so many events of this name. */
const until = (reader: Reader, name: string, count: number) =>
  reader.until((heard) => named(heard, name).length >= count)

for (const { name, read, takesBareIds } of clients) {
  describe(`a reader by ${name}`, () => {
    it.scopedLive("gets each event once and in order, with its id and its name", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const { epoch } = yield* sluice.add("a", { events: [{ name: "delta", data: "a\nb" }, { data: { n: 1 } }] })
        const reader = yield* read(`${sluice.url}${one}`, ["message", "delta", "sluice.live", "done"])
        yield* until(reader, "sluice.live", 1)
        yield* sluice.add("a", { name: "delta", data: "ü\u2028" })
        yield* sluice.add("a", { name: "done", data: "" })
        yield* until(reader, "done", 1)
        assert.deepEqual(
          reader.heard.filter((event) => event.name !== "sluice.live"),
          [
            { id: `${epoch}.1`, name: "delta", data: "a\nb" },
            { id: `${epoch}.2`, name: "message", data: '{"n":1}' },
            { id: `${epoch}.3`, name: "delta", data: "ü\u2028" },
            { id: `${epoch}.4`, name: "done", data: "" }
          ]
        )
      })
    )

    it.scopedLive("misses and repeats nothing when it is cut at random bytes while events are appended (S111)", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ connection: { replayCap: 1_000_000 } })
        const ends = yield* Effect.replicateEffect(Random.nextIntBetween(1, 1500), cuts)
        const front = yield* Front.make(
          () => sluice.url,
          () => Front.after(ends.pop() ?? Number.POSITIVE_INFINITY)
        )
        const { epoch } = yield* sluice.add("a", { data: "1" })
        const reader = yield* read(`${front.url}${one}`, ["message", "sluice.gap"])
        const count = yield* Effect.iterate(1, {
          while: () => front.cuts() < cuts,
          body: (count) => Effect.as(sluice.add("a", { data: `${count + 1}` }), count + 1)
        })
        yield* reader.until((events) => events.at(-1)?.data === `${count}`)
        assert.deepEqual(reader.heard, numbered(epoch, 1, count))
      }).pipe(Effect.withRandom(Random.make(name)))
    )

    it.scopedLive("goes on where it was after the server was stopped and started on the same file", () =>
      Effect.gen(function* () {
        const store = yield* Engines.sqlite
        const scope = yield* Scope.make()
        const before = yield* Scope.extend(Sluice.make({ store }), scope)
        let target = before.url
        const front = yield* Front.make(() => target)
        const back = yield* Effect.makeLatch()
        const reader = yield* read(`${front.url}${one}`, ["message", "sluice.gap", "sluice.bye"], back.await)
        const epoch = yield* before.fill("a", 3)
        yield* until(reader, "message", 3)
        yield* Scope.close(scope, Exit.void)
        yield* reader.left
        const after = yield* Sluice.make({ store })
        yield* after.add("a", { events: Sluice.numbered(4, 3) })
        target = after.url
        yield* back.open
        yield* until(reader, "message", 6)
        assert.deepEqual(named(reader.heard, "message"), numbered(epoch, 1, 6))
        assert.deepEqual(named(reader.heard, "sluice.gap"), [])
        assert.deepEqual(front.cursors, [undefined, `${epoch}.3`])
        assert.deepEqual(
          reader.waits,
          named(reader.heard, "sluice.bye").map((bye) => Call.json(bye)["retry"])
        )
      })
    )

    it.scopedLive("waits before it comes back as long as the server's hello says, not as long as it would", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const epoch = yield* sluice.fill("a", 1)
        const front = yield* Front.make(() => sluice.url, Front.inTurn(Front.afterBlock("event: sluice.hello")))
        const reader = yield* read(`${front.url}${one}`, ["message", "sluice.hello"])
        yield* until(reader, "message", 1)
        const [hello] = named(reader.heard, "sluice.hello").map((event) => Call.json(event))
        assert.deepEqual(reader.waits, [hello?.["retry"]])
        assert.notEqual(hello?.["retry"], ownWait)
        assert.deepEqual(front.cursors, [undefined, `${epoch}.0`])
      })
    )

    it.scopedLive("is told of a gap once: when it is cut right after, it does not ask for it again", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ connection: { replayCap: 3 } })
        const epoch = yield* sluice.fill("a", 10)
        const front = yield* Front.make(() => sluice.url, Front.inTurn(Front.afterBlock("event: sluice.gap")))
        const reader = yield* read(`${front.url}${one}`, ["message", "sluice.gap"])
        yield* until(reader, "message", 3)
        const [gap, ...events] = reader.heard
        assert.ok(gap)
        assert.deepEqual([gap.name, gap.id, Call.json(gap)["next"]], ["sluice.gap", `${epoch}.7`, 8])
        assert.deepEqual(events, numbered(epoch, 8, 10))
        assert.deepEqual(front.cursors, [undefined, `${epoch}.7`])
      })
    )

    const repeats = takesBareIds
      ? "and repeats none"
      : "but has those again that came since a session was live, since it takes no id without data"
    it.scopedLive(`misses no event of several sessions when it is cut, ${repeats}`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        yield* sluice.fill("a", 2)
        yield* sluice.fill("b", 1)
        const closing = { a: 2, b: 1 }
        const front = yield* Front.make(() => sluice.url, Front.inTurn(Front.afterPlaces(closing)))
        const back = yield* Effect.makeLatch()
        const reader = yield* read(`${front.url}${several}`, ["message", "sluice.gap"], back.await)
        yield* reader.left
        assert.deepEqual([dataOf(reader.heard, "a"), dataOf(reader.heard, "b")], [["1", "2"], ["1"]])
        yield* sluice.add("a", { events: Sluice.numbered(3, 2) })
        yield* sluice.add("b", { data: "2" })
        yield* back.open
        yield* reader.until(() => dataOf(reader.heard, "a").includes("4") && dataOf(reader.heard, "b").includes("2"))
        assert.deepEqual(
          [dataOf(reader.heard, "a"), dataOf(reader.heard, "b")],
          [
            ["1", "2", "3", "4"],
            ["1", ...(takesBareIds ? [] : ["1"]), "2"]
          ]
        )
        assert.deepEqual(front.cursors.map(Front.placesOf), [{}, takesBareIds ? closing : { a: 2, b: 0 }])
        assert.deepEqual(named(reader.heard, "sluice.gap"), [])
      })
    )

    const told = takesBareIds
      ? "is told once of a gap in one of several sessions"
      : "is told of a gap in one of several sessions each time it comes back, since it takes no id without data"
    it.scopedLive(told, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make({ connection: { replayCap: 3 } })
        yield* sluice.fill("a", 10)
        const closing = { a: 10, b: 0 }
        const front = yield* Front.make(() => sluice.url, Front.inTurn(Front.afterPlaces(closing)))
        const back = yield* Effect.makeLatch()
        const names = ["message", "sluice.gap", "sluice.live"]
        const reader = yield* read(`${front.url}${several}`, names, back.await)
        const lives = () =>
          named(reader.heard, "sluice.live").filter((event) => Call.json(event)["session"] === "a").length
        yield* reader.left
        const before = lives()
        yield* back.open
        yield* reader.until(() => lives() > before)
        const times = takesBareIds ? 1 : 2
        assert.equal(named(reader.heard, "sluice.gap").length, times)
        assert.deepEqual(dataOf(reader.heard, "a"), Array.from({ length: times }, () => Sluice.range(8, 10)).flat())
        assert.deepEqual(front.cursors.map(Front.placesOf), [{}, takesBareIds ? closing : { a: 0, b: 0 }])
      })
    )

    it.scopedLive("comes back once to a session that has ended, and is sent away for good", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const front = yield* Front.make(() => sluice.url)
        const epoch = yield* sluice.fill("a", 1)
        const reader = yield* read(`${front.url}${one}`, ["message", "sluice.end"])
        yield* until(reader, "message", 1)
        yield* sluice.end("a")
        yield* reader.closed
        const [, ended] = reader.heard
        assert.ok(ended)
        const { cursor } = Call.json(ended)
        assert.equal(reader.heard.length, 2)
        assert.equal(ended.name, "sluice.end")
        assert.match(String(cursor), new RegExp(`^${epoch}\\.`))
        assert.deepEqual(front.cursors, [undefined, cursor])
        assert.deepEqual(front.statuses, [200, 204])
      })
    )

    it.scopedLive("comes back once to several sessions that have all ended, and is sent away for good", () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const front = yield* Front.make(() => sluice.url)
        for (const session of ["a", "b"]) {
          yield* sluice.fill(session, 1)
          yield* sluice.end(session)
        }
        const reader = yield* read(`${front.url}${several}`, ["sluice.end"])
        yield* reader.closed
        const ends = reader.heard.map((event) => Call.json(event))
        const last = Object.fromEntries(
          ends.map(({ cursor, session }) => [session, Number(String(cursor).split(".")[1])])
        )
        assert.deepEqual(ends.map(({ session }) => session).sort(), ["a", "b"])
        assert.deepEqual(front.cursors.map(Front.placesOf), [{}, last])
        assert.deepEqual(front.statuses, [200, 204])
      })
    )
  })
}
