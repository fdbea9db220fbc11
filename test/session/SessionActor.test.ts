import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { events, layer, numbers, s1, s2, send } from "./SessionRooms.ts"
import * as TestWatcher from "./TestWatcher.ts"

const rooms = Effect.all({ faulty: FaultyStore.FaultyStore, registry: SessionRegistry, store: EventStore })
const all = { after: 0, before: Number.MAX_SAFE_INTEGER, limit: 10_000, order: "asc" } as const

describe("SessionActor", () => {
  it.effect("creates a session with its first append: 1, CREATED, and numbers of its own (S57)", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const { epoch, ...first } = yield* registry.append(s1, { events: events("a") })
      assert.match(epoch, /^[a-z0-9]{10}$/)
      assert.deepEqual(first, { first: 1, last: 1, head: 1, repeated: false })
      const { watchers, ...created } = yield* registry.get(s1)
      assert.deepInclude(created, { session: s1, epoch, state: "CREATED", oldest: 1, head: 1 })
      assert.equal(watchers, 0)

      const other = yield* registry.append(s2, { events: events("a", "b") })
      assert.deepInclude(other, { first: 1, last: 2, head: 2 })
      assert.notEqual(other.epoch, epoch)
      assert.deepInclude(yield* registry.append(s1, { events: events("b") }), { epoch, first: 2, last: 2, head: 2 })
    }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect(
    "numbers the batches of 8 producers without holes, each in one piece and in its producer's order (S62)",
    () =>
      Effect.gen(function* () {
        const { registry, store } = yield* rooms
        const watcher = TestWatcher.make()
        const actor = yield* registry.start(s1)
        actor.watch(watcher)
        const producer = (name: number) =>
          Effect.gen(function* () {
            const ranges: Array<readonly [first: number, last: number]> = []
            for (let batch = 0; batch < 20; batch++) {
              const size = 1 + ((name + batch) % 7)
              const texts = Array.from({ length: size }, (_, index) => `${name} ${batch} ${index}`)
              const { first, last } = yield* registry.append(s1, { events: events(...texts) })
              ranges.push([first, last])
              const stored = yield* store.readEvents(s1, { ...all, after: first - 1, before: last + 1 })
              assert.deepEqual(
                stored.map(({ data }) => data),
                texts
              )
            }
            return ranges
          })
        const ranges = yield* Effect.forEach([0, 1, 2, 3, 4, 5, 6, 7], producer, { concurrency: "unbounded" })
        for (const own of ranges) {
          for (const [index, [first]] of own.entries()) assert.isAbove(first, own[index - 1]?.[1] ?? 0)
        }
        const given = ranges.flat().sort(([a], [b]) => a - b)
        for (const [index, [first]] of given.entries()) assert.equal(first, (given[index - 1]?.[1] ?? 0) + 1)
        yield* settled
        assert.deepEqual(
          watcher.seqs(),
          Array.from({ length: actor.head }, (_, index) => index + 1)
        )
      }).pipe(Effect.provide(layer()))
  )

  // promise 2
  it.effect("keeps the order of appends that come together while the session is asleep", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const sent = yield* Effect.forEach(["1", "2", "3"], (data) => send(registry, s1, events(data)))
      const answers = yield* Effect.forEach(sent, ({ answer }) => answer)
      assert.deepEqual(
        answers.map(({ first }) => first),
        [1, 2, 3]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("keeps that order also when the store answers the first of them last", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const load = yield* FaultyStore.holds
      faulty.next("load", load)
      const first = yield* send(registry, s1, events("1"))
      const second = yield* send(registry, s1, events("2"))
      yield* settled
      yield* load.release
      assert.deepEqual([(yield* first.answer).first, (yield* second.answer).first], [1, 2])
    }).pipe(Effect.provide(layer()))
  )

  // promise 8
  it.effect("appends only where the producer expects the head, and tells the real one otherwise (S64)", () =>
    Effect.gen(function* () {
      const { registry, store } = yield* rooms
      const { epoch } = yield* registry.append(s1, { events: numbers(1, 3) })
      for (const expect of [
        { epoch, seq: 2 },
        { epoch: undefined, seq: 4 },
        { epoch: "another", seq: 3 }
      ]) {
        const conflict = yield* Effect.flip(registry.append(s1, { events: events("x"), expect }))
        assert.isTrue(conflict._tag === "HeadConflict")
        if (conflict._tag === "HeadConflict") assert.deepEqual(conflict.head, { epoch, seq: 3 })
      }
      assert.equal((yield* store.readEvents(s1, all)).length, 3)
      assert.equal((yield* registry.append(s1, { events: events("4"), expect: { epoch, seq: 3 } })).first, 4)
      assert.equal((yield* registry.append(s1, { events: events("5"), expect: { epoch: undefined, seq: 4 } })).first, 5)
      assert.equal((yield* registry.append(s2, { events: events("1"), expect: { epoch: undefined, seq: 0 } })).first, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("judges an expectation by the appends before it, also of the same commit (S64)", () =>
    Effect.gen(function* () {
      const { faulty, registry, store } = yield* rooms
      yield* registry.append(s1, { events: events("1") })
      const expecting = (seq: number) => ({ epoch: undefined, seq })
      const sent = [
        yield* send(registry, s1, events("2", "3"), expecting(1)),
        yield* send(registry, s1, events("lost the race"), expecting(1)),
        yield* send(registry, s1, events("4"), expecting(3)),
        yield* send(registry, s1, events("too soon"), expecting(9)),
        yield* send(registry, s1, events("5"))
      ]
      const answers = yield* Effect.forEach(sent, ({ answer }) => Effect.either(answer))
      assert.equal(faulty.calls("commit").length, 2)
      const said = answers.map((answer) => {
        if (answer._tag === "Right") return `${answer.right.first}-${answer.right.last}`
        return answer.left._tag === "HeadConflict" ? `head is ${answer.left.head.seq}` : answer.left._tag
      })
      assert.deepEqual(said, ["2-3", "head is 3", "4-4", "head is 4", "5-5"])
      assert.deepEqual(
        (yield* store.readEvents(s1, all)).map(({ data }) => data),
        ["1", "2", "3", "4", "5"]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.effect("makes no commit for a turn in which every append was a conflict", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      yield* Effect.flip(registry.append(s1, { events: events("x"), expect: { epoch: undefined, seq: 1 } }))
      assert.deepEqual(
        [faulty.calls("commit").length, (yield* Effect.flip(registry.get(s1)))._tag],
        [0, "SessionNotFound"]
      )
    }).pipe(Effect.provide(layer()))
  )

  // promise 3
  for (const [bound, options] of [
    ["items", { maxAppends: 3 }],
    ["bytes", { maxBytes: 3 * 180 }]
  ] as const) {
    it.effect(
      `bounds its mailbox in ${bound}: one append more is Overloaded, and other sessions do not mind (S70)`,
      () =>
        Effect.gen(function* () {
          const { faulty, registry, store } = yield* rooms
          const body = events("x".repeat(100))
          yield* registry.start(s2)
          const commit = yield* FaultyStore.holds
          faulty.next("commit", commit)
          const inHand = yield* send(registry, s1, body)
          yield* commit.reached
          const waiting = yield* Effect.forEach([1, 2, 3], () => send(registry, s1, body))
          const refused = yield* send(registry, s1, body)
          assert.isTrue(refused.isAnswered())
          const error = yield* Effect.flip(refused.answer)
          assert.isTrue(error._tag === "Overloaded" && error.what === "session mailbox")
          const neighbour = yield* send(registry, s2, body)
          yield* commit.release
          yield* Effect.forEach([inHand, ...waiting, neighbour], ({ answer }) => answer)
          assert.equal((yield* store.readEvents(s1, all)).length, 4)
          assert.equal((yield* registry.append(s1, { events: body })).first, 5)
        }).pipe(Effect.provide(layer({ session: options })))
    )
  }

  // promise 2
  it.effect("offers the batches of a large append in order, each within the bounds of a batch", () =>
    Effect.gen(function* () {
      const { registry, store } = yield* rooms
      const watcher = TestWatcher.make()
      const actor = yield* registry.start(s1)
      actor.watch(watcher)
      const large = Array.from({ length: 1000 }, (_, index) => "x".repeat(index % 3 === 0 ? 1000 : 10))
      const appended = yield* registry.append(s1, { events: events(...large) })
      assert.deepInclude(appended, { first: 1, last: 1000 })
      yield* settled
      assert.isAbove(watcher.batches.length, 1)
      for (const { events, first, frames, last } of watcher.batches) {
        assert.isAtMost(events.length, 500)
        assert.isAtMost(frames.end - frames.start, 262_144)
        assert.equal(events.length, last - first + 1)
      }
      assert.deepEqual(
        watcher.seqs(),
        large.map((_, index) => index + 1)
      )
      assert.deepEqual(
        (yield* store.readEvents(s1, all)).map(({ data }) => data),
        large
      )
    }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect("keeps a watcher that dies of an offer from the others", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      const before = TestWatcher.make()
      const dying = TestWatcher.make(() => {
        throw new Error("boom")
      })
      const after = TestWatcher.make()
      const actor = yield* registry.start(s1)
      for (const watcher of [before, dying, after]) actor.watch(watcher)
      yield* registry.append(s1, { events: events("a") })
      yield* settled
      assert.deepEqual([before.seqs(), dying.heard, after.seqs()], [[1], ["died"], [1]])
      assert.equal((yield* registry.append(s1, { events: events("b") })).first, 2)
    }).pipe(Effect.provide(layer()))
  )
})
