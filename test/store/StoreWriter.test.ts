import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Scope } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import * as SessionRegistry from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import { StoreWriter } from "../../src/store/StoreWriter.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { events, layer, numbers, s1, s2, send } from "../session/SessionRooms.ts"
import * as TestWatcher from "../session/TestWatcher.ts"
import { settled } from "./StoreWriterTurn.ts"

const rooms = Effect.all({
  faulty: FaultyStore.FaultyStore,
  registry: SessionRegistry.SessionRegistry,
  store: EventStore,
  writer: StoreWriter
})

describe("StoreWriter", () => {
  // promise 1
  it.effect("answers a producer, and shows an event to watchers, only after its commit (S58)", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const watcher = TestWatcher.make()
      const actor = yield* registry.start(s1)
      actor.watch(watcher)
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)

      const append = yield* send(registry, s1, events("a"))
      yield* commit.reached
      yield* settled
      const before = [append.isAnswered(), watcher.seqs(), actor.head, actor.exists]
      yield* commit.release
      assert.deepInclude(yield* append.answer, { first: 1, last: 1, head: 1, repeated: false })
      assert.deepEqual(before, [false, [], 0, false])
      yield* settled
      assert.deepEqual([watcher.seqs(), actor.head], [[1], 1])
    }).pipe(Effect.provide(layer()))
  )

  // promise 1
  it.effect("answers and shows nothing either while a commit is done but not yet reported", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const watcher = TestWatcher.make()
      const actor = yield* registry.start(s1)
      actor.watch(watcher)
      const commit = yield* FaultyStore.holdsAnswer
      faulty.next("commit", commit)
      const append = yield* send(registry, s1, events("a"))
      yield* commit.reached
      yield* settled
      const before = [append.isAnswered(), watcher.seqs(), actor.head]
      yield* commit.release
      yield* append.answer
      assert.deepEqual(before, [false, [], 0])
    }).pipe(Effect.provide(layer()))
  )

  it.effect(
    "makes one commit of 1,000 appends of 100 sessions that came together, each with its own answer (S70)",
    () =>
      Effect.gen(function* () {
        const { faulty, registry, store } = yield* rooms
        const sessions = Array.from({ length: 100 }, (_, index) => SessionId.make(`s${index}`))
        yield* Effect.forEach(sessions, registry.start)
        const pending = yield* Effect.forEach(
          Array.from({ length: 10 }, (_, round) => sessions.map((session) => ({ session, round }))).flat(),
          ({ round, session }) =>
            Effect.map(send(registry, session, events(`${session} ${round}`)), ({ answer }) => ({
              answer,
              round,
              session
            }))
        )
        yield* Effect.forEach(pending, ({ answer, round, session }) =>
          Effect.gen(function* () {
            const { first, last } = yield* answer
            assert.deepEqual([first, last], [round + 1, round + 1])
            const range = { after: round, before: round + 2, limit: 10, order: "asc" } as const
            const [event] = yield* store.readEvents(session, range)
            assert.equal(event?.data, `${session} ${round}`)
          })
        )
        assert.equal(faulty.calls("commit").length, 1)
      }).pipe(Effect.provide(layer()))
  )

  it.effect("gathers what comes during a commit into the next one", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const first = yield* send(registry, s1, events("1"))
      yield* commit.reached
      const later = yield* Effect.forEach([s1, s2, s1, s2, s1], (session) => send(registry, session, events("x")))
      yield* settled
      assert.equal(faulty.calls("commit").length, 1)
      yield* commit.release
      yield* first.answer
      const answers = yield* Effect.forEach(later, ({ answer }) => answer)
      assert.deepEqual(
        answers.map(({ first }) => first),
        [2, 1, 3, 2, 4]
      )
      assert.equal(faulty.calls("commit").length, 2)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("commits a lone append at once: no clock has to move for it (S70)", () =>
    Effect.gen(function* () {
      const { registry } = yield* rooms
      assert.equal((yield* registry.append(s1, { events: events("alone") })).head, 1)
    }).pipe(Effect.provide(layer()))
  )

  // promises 3 and 8
  for (const [bound, options] of [
    ["appends", { maxAppends: 4 }],
    ["bytes", { maxBytes: 4 * 180 }]
  ] as const) {
    it.effect(`refuses with Overloaded, storing nothing, when as many ${bound} as it takes are waiting`, () =>
      Effect.gen(function* () {
        const { faulty, registry, store } = yield* rooms
        yield* Effect.forEach([s1, s2], registry.start)
        const body = events("x".repeat(100))
        const sent = yield* Effect.forEach([s1, s2, s1, s2, s1, s2], (session) => send(registry, session, body))
        const exits = yield* Effect.forEach(sent, ({ answer }) => Effect.either(answer))
        assert.deepEqual(
          exits.map((exit) => (exit._tag === "Right" ? exit.right.last : exit.left)).slice(0, 4),
          [1, 1, 2, 2]
        )
        for (const exit of exits.slice(4)) {
          assert.isTrue(exit._tag === "Left" && exit.left._tag === "Overloaded" && exit.left.what === "store writer")
        }
        const all = { after: 0, before: 99, limit: 99, order: "asc" } as const
        assert.equal((yield* store.readEvents(s1, all)).length + (yield* store.readEvents(s2, all)).length, 4)

        // What was answered has given its place back.
        const again = yield* Effect.forEach([s1, s2, s1, s2], (session) => send(registry, session, body))
        yield* Effect.forEach(again, ({ answer }) => answer)
        assert.equal(faulty.calls("commit").length, 2)
      }).pipe(Effect.provide(layer({ writer: options })))
    )
  }

  it.effect("gives the place of appends back whose commit failed, died or was in conflict", () =>
    Effect.gen(function* () {
      const { faulty, registry } = yield* rooms
      const three = Effect.flatMap(
        Effect.forEach([1, 2, 3], () => send(registry, s1, events("x"))),
        (all) => Effect.all(all.map(({ answer }) => Effect.either(answer)))
      )
      faulty.next("commit", FaultyStore.fails("Full"))
      assert.deepEqual(new Set((yield* three).map(({ _tag }) => _tag)), new Set(["Left"]))
      faulty.next("commit", FaultyStore.dies("boom"))
      assert.deepEqual(new Set((yield* three).map(({ _tag }) => _tag)), new Set(["Left"]))
      yield* Effect.flip((yield* send(registry, s1, events("x"), { epoch: undefined, seq: 77 })).answer)
      yield* settled
      assert.deepEqual(
        (yield* three).map((exit) => (exit._tag === "Right" ? exit.right.last : 0)),
        [1, 2, 3]
      )
    }).pipe(Effect.provide(layer({ writer: { maxAppends: 3 } })))
  )

  it.effect("runs other writes between commits, one after the other, and gives each its own result", () =>
    Effect.gen(function* () {
      const { faulty, registry, writer } = yield* rooms
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const append = yield* send(registry, s1, numbers(1, 3))
      yield* commit.reached
      const order: Array<string> = []
      const write = (name: string) =>
        writer.run(Effect.sync(() => order.push(`${name} at head ${registry.find(s1)?.head}`)))
      const fibers = yield* Effect.forEach(["a", "b"], (name) => Effect.fork(write(name)))
      const failing = yield* Effect.fork(Effect.exit(writer.run(Effect.fail("no"))))
      const dying = yield* Effect.fork(Effect.exit(writer.run(Effect.die("boom"))))
      yield* settled
      assert.deepEqual(order, [])
      yield* commit.release
      yield* append.answer
      yield* Fiber.joinAll(fibers)
      assert.deepEqual(order, ["a at head 3", "b at head 3"])
      assert.deepEqual([yield* Fiber.join(failing), yield* Fiber.join(dying)], [Exit.fail("no"), Exit.die("boom")])
      assert.equal((yield* registry.append(s1, { events: events("x") })).first, 4)
    }).pipe(Effect.provide(layer()))
  )

  // promise 3
  it.effect("refuses with Overloaded when too many other writes wait", () =>
    Effect.gen(function* () {
      const { writer } = yield* rooms
      const go = yield* Deferred.make<void>()
      const taken = yield* Effect.forEach(Array.from({ length: 1024 }), () =>
        Effect.fork(writer.run(Deferred.await(go)))
      )
      yield* Effect.yieldNow()
      const refused = yield* Effect.flip(writer.run(Effect.void))
      assert.equal(refused._tag, "Overloaded")
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.joinAll(taken)
      yield* writer.run(Effect.void)
    }).pipe(Effect.provide(layer()))
  )

  // promise 1
  it.effect("settles every producer when it closes: what was taken is committed first", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { faulty, registry } = yield* Effect.provide(rooms, context)
      yield* Effect.forEach([s1, s2], registry.start)
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const inFlight = yield* send(registry, s1, events("a"))
      yield* commit.reached
      const waiting = yield* Effect.forEach([s1, s2, s2], (session) => send(registry, session, events("b")))
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settled
      assert.isFalse(inFlight.isAnswered())
      yield* commit.release
      yield* Fiber.join(closing)
      const answers = yield* Effect.forEach([inFlight, ...waiting], ({ answer }) => answer)
      assert.deepEqual(
        answers.map(({ last }) => last),
        [1, 2, 1, 2]
      )
    })
  )

  it.effect("settles a producer that came just before it closes, whose turn had not begun", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { registry } = yield* Effect.provide(rooms, context)
      yield* registry.start(s1)
      const append = yield* send(registry, s1, events("a"))
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(append.isAnswered())
      assert.equal((yield* append.answer).last, 1)
    })
  )

  it.effect("refuses what comes after its last turn: it never leaves a producer without an answer", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer(), scope)
      const { faulty, registry, writer } = yield* Effect.provide(rooms, context)
      yield* registry.start(s1)
      const commit = yield* FaultyStore.holds
      faulty.next("commit", commit)
      const inLastTurn = yield* send(registry, s1, events("a"))
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* commit.reached
      const during = yield* send(registry, s1, events("b"))
      const other = yield* Effect.fork(writer.run(Effect.void))
      yield* commit.release
      yield* Fiber.join(closing)
      const after = yield* send(registry, s1, events("c"))
      yield* settled
      assert.deepEqual(
        [inLastTurn, during, after].map(({ isAnswered }) => isAnswered()),
        [true, true, true]
      )
      assert.isTrue(Option.isSome(yield* Fiber.poll(other)))
    })
  )
})
