import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { catchUpCap, maxPieces } from "../../../../src/client/browser/tabs/Member.ts"
import * as Sluice from "../../../http/Sluice.ts"
import * as Client from "../Client.ts"
import * as ScriptedFetch from "../ScriptedFetch.ts"
import * as Scripted from "./Scripted.ts"

const { event, live, settled } = ScriptedFetch

const fromStart = { session: "s", from: "start" } as const

const gapsOf = (items: ReadonlyArray<Client.Item>) => items.flatMap((item) => (item.type === "gap" ? [item.gap] : []))

describe("what a tab lacks", () => {
  it.scoped("it reads from the history, while what comes waits its turn", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const first = yield* network.open()
      yield* settled
      const stream = yield* network.begin(0, 3)
      yield* stream.write(live(3))
      const { client, items } = yield* network.open(fromStart)
      const history = yield* network.request(1)
      assert.match(history.url, /sessions\/s\/events\?limit=1000&after=0&before=4$/)
      yield* stream.write(event(4))
      yield* settled
      assert.equal(items.length, 0)
      assert.equal(client.status.state, "replaying")
      history.answer(Scripted.page(1, 3))
      yield* settled
      assert.deepEqual(
        items.map((item) => (item.type === "event" ? item.data : item.type)),
        ["1", "2", "3", "live", "4"]
      )
      assert.equal(client.status.state, "live")
      assert.deepEqual(Client.dataOf(first.items, "s"), ["4"])
    })
  )

  it.scoped("it reads from the history up to a bound when it comes, and is told of what lies before", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      yield* network.open()
      yield* settled
      const head = catchUpCap + 200
      const stream = yield* network.begin(0, head)
      yield* stream.write(live(head))
      const { items } = yield* network.open(fromStart)
      const history = yield* network.request(1)
      assert.match(history.url, new RegExp(`after=200&before=${head + 1}$`))
      history.answer(Scripted.page(201, head))
      yield* settled
      assert.deepEqual(gapsOf(items), [{ epoch: "e", after: 0, next: 201, missed: 200, reason: "cap" }])
      assert.deepEqual(
        Client.dataOf(items, "s"),
        Array.from({ length: catchUpCap }, (_, index) => `${201 + index}`)
      )
    })
  )

  it.scoped("it is told of where it cannot be had, and goes on", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      yield* network.open()
      yield* settled
      const stream = yield* network.begin(0, 3)
      yield* stream.write(live(3))
      const { items } = yield* network.open(fromStart)
      const history = yield* network.request(1)
      history.answer(new Response("{}", { status: 403 }))
      yield* stream.write(event(4))
      yield* settled
      assert.deepEqual(gapsOf(items), [{ epoch: "e", after: 0, next: 4, missed: 3, reason: "unannounced" }])
      assert.deepEqual(Client.dataOf(items, "s"), ["4"])
      // A part of it.
      const late = yield* network.open(fromStart)
      const again = yield* network.request(2)
      again.answer(Scripted.page(3, 4))
      yield* settled
      assert.deepEqual(gapsOf(late.items), [{ epoch: "e", after: 0, next: 3, missed: 2, reason: "retention" }])
      assert.deepEqual(Client.dataOf(late.items, "s"), ["3", "4"])
    })
  )

  it.scoped("it reads before it hears that all has ended, also by an answer without a stream", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const first = yield* network.open({ session: "s", from: { epoch: "e", seq: 3 } })
      yield* settled
      const stream = yield* network.begin(0, 3)
      stream.end()
      yield* settled
      const late = yield* network.open(fromStart)
      yield* settled
      network.timers.advance(0)
      const second = yield* network.request(1)
      second.answer(new Response(null, { status: 204 }))
      // The other has ended and left, so that this one asks for a stream as well.
      const asked = [yield* network.request(2), yield* network.request(3)]
      const history = asked.find(({ url }) => url.includes("/events")) ?? assert.fail("no history")
      history.answer(Scripted.page(1, 3))
      for (const { ended } of [first, late]) assert.equal(yield* ended, undefined)
      assert.deepEqual(Client.dataOf(late.items, "s"), ["1", "2", "3"])
      assert.deepEqual(gapsOf(late.items), [])
      assert.deepEqual(Client.dataOf(first.items, "s"), [])
    })
  )

  it.scoped("of another's place behind the head of the log, it is not told", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const ahead = yield* network.open({ session: "s", from: { epoch: "e", seq: 9 } })
      const good = yield* network.open({ session: "s", from: { epoch: "e", seq: 2 } })
      yield* settled
      const stream = yield* network.begin(0, 3)
      const gap = { session: "s", after: 3, next: 4, missed: null, oldest: 1, head: 3, reason: "ahead" }
      yield* stream.write(`event: sluice.gap\ndata: ${JSON.stringify(gap)}\n\n${live(3)}`)
      const history = yield* network.request(1)
      history.answer(Scripted.page(3, 3))
      yield* stream.write(event(4))
      yield* settled
      assert.deepEqual(Client.dataOf(good.items, "s"), ["3", "4"])
      assert.deepEqual(gapsOf(good.items), [])
      assert.deepEqual(Client.dataOf(ahead.items, "s"), ["4"])
      assert.deepEqual(gapsOf(ahead.items), [{ epoch: "e", after: 3, next: 4, missed: null, reason: "ahead" }])
    })
  )

  it.scoped("is nothing where it knows a log that the stream does not know yet", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      yield* network.open()
      yield* settled
      const stream = yield* network.request(0)
      stream.open()
      yield* stream.write(Scripted.helloOfNone)
      // As of a session that does not exist.
      yield* stream.write('event: sluice.live\ndata: {"session":"s","cursor":null}\n\n')
      const { items, until } = yield* network.open({ session: "s", from: { epoch: "e", seq: 0 } })
      yield* until("live")
      yield* stream.write(event(1))
      yield* settled
      assert.deepEqual(
        items.map(({ type }) => type),
        ["live", "event"]
      )
    })
  )

  it.scoped("because its app took nothing, was held up to a bound, and is read when the app takes again", () =>
    Effect.gen(function* () {
      const network = Scripted.make()
      const quick = yield* network.open()
      const slow = yield* network.openSlow()
      yield* settled
      const stream = yield* network.begin(0, 0)
      const joins = () => network.browser.posted.filter(({ type }) => type === "join").length
      const joined = joins()
      yield* stream.write(live(0))
      yield* slow.until("live")
      // So many items fill what the app is given, and then so many pieces what waits for it.
      const full = 1000 + maxPieces
      const head = full + 500
      for (let seq = 1; seq <= head; seq++) {
        yield* stream.write(event(seq))
        if (seq % 100 === 0) yield* settled
      }
      assert.equal(Client.dataOf(quick.items, "s").length, head)
      assert.equal(network.count(), 1)
      const data: Array<string> = []
      const taking = Effect.promise(async () => {
        for await (const item of slow.client) {
          if (item.type === "event") data.push(item.data)
          if (data.length === head + 1) break
        }
      })
      const taken = yield* Effect.fork(taking)
      // What it held above the bound it dropped, all of it: the last that it has is the last item before the app was full.
      const history = yield* network.request(1)
      assert.match(history.url, new RegExp(`after=999&before=${head + 1}$`))
      history.answer(Scripted.page(1000, 1999, head))
      const more = yield* network.request(2)
      more.answer(Scripted.page(2000, head))
      yield* stream.write(event(head + 1))
      yield* taken
      assert.deepEqual(data, Sluice.range(1, head + 1))
      assert.equal(joins() - joined, 1)
    })
  )
})
