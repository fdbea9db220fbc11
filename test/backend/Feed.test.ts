import * as v8 from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option } from "effect"
import * as ConnectionManager from "../../src/backend/ConnectionManager.ts"
import * as Feed from "../../src/backend/Feed.ts"
import { RetainedKey } from "../../src/domain/RetainedEvent.ts"
import { StoreError } from "../../src/domain/SessionError.ts"
import * as MemoryRetainedStore from "../../src/store/memory/MemoryRetainedStore.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"
import * as FaultyRetained from "./FaultyRetained.ts"
import { framesOf } from "./FeedFrames.ts"

v8.setFlagsFromString("--expose-gc")
const withoutTasks = Feed.layer.pipe(
  Layer.provideMerge(ConnectionManager.layer()),
  Layer.provide(Layer.merge(TestGateway.layer, MemoryRetainedStore.layer))
)

const collectGarbage: () => void = runInNewContext("gc")

const key = (text: string) => RetainedKey.make(text)
const a = key("a")
const b = key("b")

describe("Feed", () => {
  it.scoped(
    "tells a new connection all retained values and running tasks in one event, from which its cursor goes on (S137)",
    () =>
      Effect.gen(function* () {
        const rooms = yield* BackendRooms.make()
        yield* rooms.feed.retain(a, { x: [1, null, "y"] })
        yield* rooms.feed.retain(b, 2)
        const task = yield* rooms.tasks.run("build", Effect.never)
        yield* rooms.connect("R1")
        yield* rooms.feed.retain(a, 3)
        yield* rooms.feed.release(b)
        yield* settled
        const [snapshot, ...later] = framesOf(rooms, "R1")
        assert.equal(snapshot?.name, "snapshot")
        assert.deepEqual(snapshot?.body["retained"], { a: { x: [1, null, "y"] }, b: 2 })
        const [state] = rooms.tasks.running()
        assert.deepEqual(snapshot?.body["tasks"], [state])
        assert.equal(state?.id, task.id)
        assert.deepEqual(
          later.map(({ body, name }) => [name, body]),
          [
            ["retained", { key: "a", data: 3 }],
            ["released", { key: "b" }]
          ]
        )
      })
  )

  it.scoped(
    "numbers what each connection is told 0, 1, 2 … under an epoch of its own, the cursor first in the text",
    () =>
      Effect.gen(function* () {
        const rooms = yield* BackendRooms.make()
        yield* rooms.connect("R1")
        yield* rooms.feed.retain(a, 1)
        yield* rooms.connect("R2")
        rooms.feed.publish("hello", { cursor: "mine", x: 1 })
        yield* settled
        const [of1, of2] = [framesOf(rooms, "R1"), framesOf(rooms, "R2")]
        assert.deepEqual(
          of1.map(({ seq }) => seq),
          [0, 1, 2]
        )
        assert.deepEqual(
          of2.map(({ seq }) => seq),
          [0, 1]
        )
        assert.notEqual(of1[0]?.epoch, of2[0]?.epoch)
        for (const { data, name } of rooms.gateway.events("R1")) {
          if (name !== "version") assert.match(data, /^\{"cursor":"[0-9a-z]+\.[0-9]+"/)
        }
      })
  )

  it.scoped("begins anew with a snapshot when a connection comes back, and tells the former nothing more (S137)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.connect("R1", "T1")
      yield* rooms.connect("R1", "T2")
      yield* rooms.feed.retain(a, 1)
      yield* settled
      assert.lengthOf(framesOf(rooms, "T1"), 1)
      const [snapshot, next] = framesOf(rooms, "T2")
      assert.equal(snapshot?.name, "snapshot")
      assert.deepEqual(next?.body, { key: "a", data: 1 })
      assert.notEqual(framesOf(rooms, "T1")[0]?.epoch, snapshot?.epoch)
    })
  )

  it.scoped("closes a connection that cannot be told, and the others have it without a hole", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.connect("R1")
      yield* rooms.connect("R2")
      rooms.gateway.fate("R1", TestGateway.unreachable)
      yield* rooms.feed.retain(a, 1)
      yield* rooms.feed.retain(b, 2)
      yield* settled
      assert.isUndefined(rooms.manager.find("R1"))
      assert.deepEqual(
        framesOf(rooms, "R2").map(({ seq }) => seq),
        [0, 1, 2]
      )
    })
  )

  it.scoped("tells a targeted event to the connection of that request id alone, without a hole for others", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      for (const id of ["R1", "R2"]) yield* rooms.connect(id)
      rooms.feed.publish("hello", {}, "R1")
      rooms.feed.publish("hello", {}, "nobody")
      rooms.feed.publish("hello", {})
      yield* settled
      assert.deepEqual(
        ["R1", "R2"].map((id) => framesOf(rooms, id).map(({ seq }) => seq)),
        [
          [0, 1, 2],
          [0, 1]
        ]
      )
    })
  )

  it.scoped("has after a restart what was retained before it, and nothing of what else the store holds", () =>
    Effect.gen(function* () {
      const { copy, service } = yield* FaultyRetained.make
      yield* service.put(key("other"), { name: "n", data: "1" }, 1)
      yield* service.put(key("retained.broken"), { name: "retained", data: "{" }, 1)
      const before = yield* BackendRooms.make({ store: service })
      yield* before.feed.retain(a, 1)
      yield* before.feed.retain(b, { x: 2 })
      yield* before.feed.release(a)
      const after = yield* BackendRooms.make({ store: yield* copy })
      yield* after.connect("R1")
      assert.deepEqual(framesOf(after, "R1")[0]?.body["retained"], { b: { x: 2 } })
      assert.deepEqual(after.feed.retained(b), Option.some({ x: 2 }))
      assert.isTrue(Option.isNone(after.feed.retained(a)))
    })
  )

  it.scoped("tells nobody of a value that the store refuses, and keeps the one before", () =>
    Effect.gen(function* () {
      const { control, service } = yield* FaultyRetained.make
      const rooms = yield* BackendRooms.make({ store: service })
      yield* rooms.feed.retain(a, 1)
      yield* rooms.connect("R1")
      control.fault = Effect.suspend(() => new StoreError({ reason: "Full", cause: "test" }))
      assert.equal((yield* Effect.flip(rooms.feed.retain(a, 2)))._tag, "StoreError")
      assert.equal((yield* Effect.flip(rooms.feed.release(a)))._tag, "StoreError")
      yield* settled
      assert.lengthOf(framesOf(rooms, "R1"), 1)
      assert.deepEqual(rooms.feed.retained(a), Option.some(1))
    })
  )

  it.scoped("tells what was stored also when who retained it has left meanwhile", () =>
    Effect.gen(function* () {
      const { control, service } = yield* FaultyRetained.make
      const rooms = yield* BackendRooms.make({ store: service })
      yield* rooms.connect("R1")
      const released = yield* Deferred.make<void>()
      control.fault = Deferred.await(released)
      const retaining = yield* Effect.fork(rooms.feed.retain(a, 1))
      yield* settled
      const leaving = yield* Effect.fork(Fiber.interrupt(retaining))
      yield* settled
      yield* Deferred.succeed(released, undefined)
      yield* Fiber.join(leaving)
      yield* settled
      assert.deepEqual(rooms.feed.retained(a), Option.some(1))
      assert.deepEqual(framesOf(rooms, "R1")[1]?.body, { key: "a", data: 1 })
    })
  )

  it.scoped("keeps a value as it was when it was retained, whatever becomes of the object", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      const list = [1]
      yield* rooms.feed.retain(a, list)
      list.push(2)
      yield* rooms.connect("R1")
      assert.deepEqual(framesOf(rooms, "R1")[0]?.body["retained"], { a: [1] })
    })
  )

  it.scoped("takes every key, also one that objects have by themselves", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.feed.retain(key("__proto__"), 1)
      yield* rooms.connect("R1")
      const text = rooms.gateway.events("R1").find(({ name }) => name === "snapshot")?.data ?? ""
      assert.include(text, '"retained":{"__proto__":1}')
    })
  )

  it.scoped("refuses a key that is too long, one that is unknown, and more values than a snapshot may have", () =>
    Effect.gen(function* () {
      const { feed } = yield* BackendRooms.make()
      const long = key("k".repeat(120))
      assert.equal((yield* Effect.flip(feed.retain(long, 1)))._tag, "InvalidRequest")
      assert.equal((yield* Effect.flip(feed.release(long)))._tag, "RetainedNotFound")
      assert.equal((yield* Effect.flip(feed.release(a)))._tag, "RetainedNotFound")
      yield* feed.retain(a, "x".repeat(40_000))
      assert.equal((yield* Effect.flip(feed.retain(b, "x".repeat(40_000))))._tag, "InvalidRequest")
      yield* feed.retain(a, "y".repeat(65_000)) // in its own place it fits
    })
  )

  it.scopedLive("forgets the connections that ended while nothing was told", () =>
    Effect.gen(function* () {
      const manager = yield* ConnectionManager.ConnectionManager
      const seen: Array<WeakRef<object>> = []
      yield* manager.observe("weak", (connection) => Effect.sync(() => void seen.push(new WeakRef(connection))))
      const names = Array.from({ length: 50 }, (_, index) => `${index}`)
      for (const round of ["a", "b", "c", "d"]) {
        for (const name of names) {
          yield* manager.connected({ requestId: name + round, token: name + round, url: undefined, subject: undefined })
        }
        yield* manager.settled
        yield* settled
        yield* Effect.forEach(names, (name) => manager.disconnected(name + round), { discard: true })
      }
      assert.lengthOf(seen, 200)
      // What a `WeakRef` was asked for stays until the end of the turn.
      yield* settled
      collectGarbage()
      assert.isAtMost(seen.filter((one) => one.deref() !== undefined).length, 100)
    }).pipe(Effect.provide(withoutTasks))
  )
})
