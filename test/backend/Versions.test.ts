import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, Option, TestClock } from "effect"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"

const versionsOf = (rooms: BackendRooms.Rooms, token: string) => rooms.told(token, "version").map(({ data }) => data)

describe("Versions", () => {
  it.scoped("sends { version, changelog? }, and leaves the changelog out when there is none (S131)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.connect("R1")
      yield* rooms.versions.queue("R1", { version: "2", changelog: "faster" })
      yield* rooms.versions.queue("R1", { version: "3" })
      yield* settled
      const texts = rooms.gateway.events("R1").filter(({ name }) => name === "version")
      assert.deepEqual(
        texts.slice(1).map(({ data }) => data),
        ['{"version":"2","changelog":"faster"}', '{"version":"3"}']
      )
    })
  )

  it.scoped(
    "refuses a version that is empty, too long or has a changelog that is, and keeps what was pending (S131)",
    () =>
      Effect.gen(function* () {
        const { versions } = yield* BackendRooms.make()
        yield* versions.queue("R1", { version: "1" })
        for (const wrong of [
          { version: "" },
          { version: "x".repeat(257) },
          { version: "2", changelog: "x".repeat(65_537) }
        ]) {
          assert.equal((yield* Effect.flip(versions.queue("R1", wrong)))._tag, "InvalidRequest")
        }
        assert.equal(Option.getOrThrow(versions.pending("R1")).version, "1")
      })
  )

  it.scoped("tells the pending version first, on every connect, also after a delivery and one that failed (S132)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      const log = yield* CapturedLog.CapturedLog
      yield* rooms.versions.queue("R1", { version: "2" })
      rooms.gateway.fate("T2", TestGateway.unreachable)
      for (const token of ["T1", "T2", "T3"]) yield* rooms.connect("R1", token)
      for (const token of ["T1", "T3"]) {
        assert.deepEqual(rooms.told(token)[0], { name: "version", data: { version: "2" } })
      }
      assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("did not reach R1")))
    }).pipe(Effect.provide(CapturedLog.layer))
  )

  it.scoped("fetches the current version for whom none is pending, and nothing becomes pending of it (S133)", () =>
    Effect.gen(function* () {
      let fetched = 0
      const current = Effect.sync(() => {
        fetched += 1
        return { version: `v${fetched}` }
      })
      const rooms = yield* BackendRooms.make({ versions: { current } })
      yield* rooms.connect("R1", "T1")
      yield* rooms.connect("R1", "T2")
      assert.deepEqual(versionsOf(rooms, "T1"), [{ version: "v1" }])
      assert.deepEqual(versionsOf(rooms, "T2"), [{ version: "v2" }])
      assert.isTrue(Option.isNone(rooms.versions.pending("R1")))
    })
  )

  for (const [what, current] of [
    ["fails", Effect.fail("broken")],
    ["dies", Effect.die(new Error("broken"))],
    ["gives none", Effect.succeed({ version: "" })],
    ["takes longer than 2 seconds", Effect.never],
    ["hangs and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.scoped(`tells "unknown" and logs it when fetching ${what}: the connect succeeds all the same (S133)`, () =>
      Effect.gen(function* () {
        const rooms = yield* BackendRooms.make({ versions: { current } })
        const log = yield* CapturedLog.CapturedLog
        yield* rooms.connect("R1")
        assert.isDefined(rooms.manager.find("R1"))
        yield* TestClock.adjust("2 seconds")
        yield* settled
        assert.deepEqual(versionsOf(rooms, "R1"), [{ version: "unknown" }])
        assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes("could not be fetched")))
        assert.isTrue(Option.isNone(rooms.versions.pending("R1")))
      }).pipe(Effect.provide(CapturedLog.layer))
    )
  }

  it.scoped("keeps the last of several versions, and tells each at once while its id is connected (S134)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      yield* rooms.connect("other")
      for (const version of ["1", "2", "3"]) yield* rooms.versions.queue("R1", { version })
      assert.equal(Option.getOrThrow(rooms.versions.pending("R1")).version, "3")
      yield* rooms.connect("R1")
      assert.deepEqual(versionsOf(rooms, "R1"), [{ version: "3" }])
      yield* rooms.versions.queue("R1", { version: "4" })
      yield* settled
      assert.deepEqual(versionsOf(rooms, "R1"), [{ version: "3" }, { version: "4" }])
      assert.deepEqual(versionsOf(rooms, "other"), [{ version: "current" }], "it is another's")
    })
  )

  it.scoped("has exactly one of a hundred versions that come at once, and tells it last (S134)", () =>
    Effect.gen(function* () {
      const rooms = yield* BackendRooms.make()
      const all = Array.from({ length: 100 }, (_, index) => String(index))
      const queued = yield* Effect.fork(
        Effect.forEach(all, (version) => Effect.zipRight(Effect.yieldNow(), rooms.versions.queue("R1", { version })), {
          concurrency: "unbounded",
          discard: true
        })
      )
      yield* rooms.connect("R1")
      yield* Fiber.join(queued)
      yield* settled
      const { version } = Option.getOrThrow(rooms.versions.pending("R1"))
      assert.include(all, version)
      assert.deepEqual(versionsOf(rooms, "R1").at(-1), { version })
    })
  )

  it.scoped("does not tell the current version after one that became pending while it was fetched (S134)", () =>
    Effect.gen(function* () {
      const fetched = yield* Deferred.make<{ readonly version: string }>()
      const rooms = yield* BackendRooms.make({ versions: { current: Deferred.await(fetched) } })
      yield* rooms.connect("R1")
      yield* rooms.versions.queue("R1", { version: "2" })
      yield* Deferred.succeed(fetched, { version: "1" })
      yield* settled
      assert.deepEqual(versionsOf(rooms, "R1"), [{ version: "2" }])
    })
  )

  it.scoped("takes no version from the moment that the stop has begun, and keeps what was pending (S138)", () =>
    Effect.gen(function* () {
      const { shutdown, versions } = yield* BackendRooms.make()
      yield* versions.queue("R1", { version: "1" })
      yield* shutdown.begin
      const refused = yield* Effect.either(versions.queue("R1", { version: "2" }))
      assert.equal(Either.isLeft(refused) && refused.left._tag, "ShuttingDown")
      assert.equal(Option.getOrThrow(versions.pending("R1")).version, "1")
    })
  )
})
