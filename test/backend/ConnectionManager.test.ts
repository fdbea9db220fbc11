import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Scope, TestClock } from "effect"
import type { BackendConnection } from "../../src/backend/ConnectionManager.ts"
import { Overloaded } from "../../src/domain/SessionError.ts"
import { WriteFailed } from "../../src/domain/GatewayError.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as ConnectionRooms from "./ConnectionRooms.ts"

const event = (data: string) => ({ name: "e", data })
const ids = (connections: ReadonlyArray<BackendConnection>) => connections.map(({ requestId }) => requestId)

describe("ConnectionManager", () => {
  it.scoped(
    "tells every observer the request id of a connect and no token, in the order of their registration (S123)",
    () =>
      Effect.gen(function* () {
        const { connect, manager } = yield* ConnectionRooms.make()
        const heard: Array<unknown> = []
        for (const name of ["first", "second", "third"]) {
          yield* manager.observe(name, (connection) =>
            Effect.sync(() =>
              heard.push([name, Object.values(connection).filter((value) => typeof value === "string")])
            )
          )
        }
        yield* connect("R1", "T1", "alice")
        assert.deepEqual(
          heard,
          ["first", "second", "third"].map((name) => [name, ["R1", "alice", "/x"]])
        )
        assert.deepEqual(ids(manager.all()), ["R1"])
      })
  )

  it.scoped("calls an observer that is added while others run from the next connect on (S123)", () =>
    Effect.gen(function* () {
      const { connect, manager } = yield* ConnectionRooms.make()
      const heard: Array<string> = []
      let isAdded = false
      const scope = yield* Effect.scope
      yield* manager.observe("first", () =>
        Effect.gen(function* () {
          if (isAdded) return
          isAdded = true
          const late = manager.observe("late", ({ requestId }) => Effect.sync(() => heard.push(requestId)))
          yield* Effect.provideService(late, Scope.Scope, scope)
        })
      )
      yield* connect("R1")
      assert.deepEqual(heard, [])
      yield* connect("R2")
      assert.deepEqual(heard, ["R2"])
    })
  )

  it.scoped("calls an observer no more whose scope has closed", () =>
    Effect.gen(function* () {
      const { connect, manager } = yield* ConnectionRooms.make()
      let heard = 0
      yield* Effect.scoped(
        Effect.zipRight(
          manager.observe("brief", () => Effect.sync(() => (heard += 1))),
          connect("R1")
        )
      )
      yield* connect("R2")
      assert.equal(heard, 1)
    })
  )

  for (const [what, hear] of [
    ["fails", Effect.fail("broken")],
    ["dies", Effect.die(new Error("broken"))],
    ["throws", Effect.suspend((): Effect.Effect<void> => JSON.parse("{"))],
    ["interrupts itself", Effect.interrupt],
    ["hangs", Effect.never],
    ["hangs and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.scoped(
      `goes on to the next observer when one ${what}, names that one in a warning, and calls it again (S130)`,
      () =>
        Effect.gen(function* () {
          const { connect, manager } = yield* ConnectionRooms.make()
          const log = yield* CapturedLog.CapturedLog
          const heard: Array<string> = []
          let called = 0
          yield* manager.observe("the culprit", () =>
            Effect.zipRight(
              Effect.sync(() => (called += 1)),
              hear
            )
          )
          yield* manager.observe("next", ({ requestId }) => Effect.sync(() => heard.push(requestId)))
          yield* connect("R1")
          assert.deepEqual(ids(manager.all()), ["R1"], "registered whatever observers do")
          yield* TestClock.adjust("5 seconds")
          assert.deepEqual(heard, ["R1"])
          const warnings = log.filter(({ level, text }) => level === "WARN" && text.includes("the culprit"))
          assert.lengthOf(warnings, 1)
          yield* connect("R2")
          yield* TestClock.adjust("5 seconds")
          assert.equal(called, 2)
          assert.deepEqual(heard, ["R1", "R2"])
        }).pipe(Effect.provide(CapturedLog.layer))
    )
  }

  for (const [what, end] of [
    ["is disconnected", (rooms: ConnectionRooms.Rooms) => Effect.asVoid(rooms.manager.disconnected("T1"))],
    ["is replaced", (rooms: ConnectionRooms.Rooms) => rooms.connect("R1", "T2")],
    [
      "is found to be gone",
      (rooms: ConnectionRooms.Rooms) =>
        Effect.suspend(() => {
          rooms.gateway.fate("T1", TestGateway.gone)
          return Effect.asVoid(Effect.either(rooms.manager.send("R1", event("x"))))
        })
    ]
  ] as const) {
    it.scoped(`interrupts the observer of a connection that ${what}`, () =>
      Effect.gen(function* () {
        const rooms = yield* ConnectionRooms.make()
        const interrupted = yield* Deferred.make<void>()
        let called = 0
        yield* rooms.manager.observe("waiting", () =>
          Effect.suspend(() => {
            called += 1
            return called > 1
              ? Effect.void
              : Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
          })
        )
        yield* rooms.connect("R1", "T1")
        yield* end(rooms)
        yield* settled
        assert.isTrue(yield* Deferred.isDone(interrupted))
      })
    )
  }

  it.scoped("holds the new token of an id that connects again before the old one is closed (S124)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T1")
      const holder = yield* Deferred.make<ReadonlyArray<string>>()
      gateway.fate(
        "T1",
        Effect.suspend(() => Deferred.succeed(holder, manager.find("R1")?.offer(event("new")) ? ["T2"] : []))
      )
      yield* connect("R1", "T2")
      yield* TestClock.adjust("999 millis")
      assert.isFalse(
        gateway.calls().some(({ close }) => close),
        "the gateway replaces it by itself, and says so to its disconnect"
      )
      yield* TestClock.adjust("1 millis")
      assert.deepEqual(yield* Deferred.await(holder), ["T2"])
      yield* settled
      assert.deepEqual(gateway.events("T2"), [event("new")])
      assert.deepEqual(
        gateway.calls().filter(({ close }) => close),
        [{ token: "T1", event: undefined, close: true, service: undefined }]
      )
    })
  )

  for (const [what, fate] of [
    ["fails", TestGateway.unreachable],
    ["hangs", TestGateway.hangs],
    ["hangs and cannot be interrupted", Effect.uninterruptible(TestGateway.hangs)],
    ["dies", Effect.die(new Error("broken"))]
  ] as const) {
    it.scoped(
      `is not delayed by the close of a replaced connection that ${what}: that is logged and tried again (S124)`,
      () =>
        Effect.gen(function* () {
          const { connect, gateway, manager } = yield* ConnectionRooms.make()
          const log = yield* CapturedLog.CapturedLog
          yield* connect("R1", "T1")
          gateway.fate("T1", fate)
          yield* connect("R1", "T2")
          assert.isTrue(yield* manager.send("R1", event("x")), "the new one is served at once")
          yield* TestClock.adjust("1 second")
          yield* TestClock.adjust("5 seconds")
          assert.isTrue(
            log.some(({ level, text }) => level === "WARN" && text.includes("R1 (replaced) is not closed yet"))
          )
          gateway.fate("T1", TestGateway.takes)
          const closes = () => gateway.calls().filter(({ close }) => close).length
          const before = closes()
          yield* TestClock.adjust("30 seconds")
          assert.isAbove(closes(), before)
          const after = closes()
          yield* TestClock.adjust("10 minutes")
          assert.equal(closes(), after, "and no more when it is closed")
        }).pipe(Effect.provide(CapturedLog.layer))
    )
  }

  it.scoped(
    "gives a replaced connection nothing more, and each event of a replacement to one stream alone (S125)",
    () =>
      Effect.gen(function* () {
        const { connect, gateway, manager } = yield* ConnectionRooms.make()
        yield* connect("R1", "T1")
        const released = yield* Deferred.make<void>()
        gateway.fate("T1", Deferred.await(released))
        const former = manager.find("R1")
        for (const data of ["1", "2", "3"]) former?.offer(event(data))
        yield* settled
        yield* connect("R1", "T2")
        manager.find("R1")?.offer(event("4"))
        assert.isFalse(former?.offer(event("5")), "it is told that it is gone")
        yield* Deferred.succeed(released, undefined)
        yield* manager.settled
        assert.deepEqual(gateway.events("T1"), [event("1")], "only what was on its way already")
        assert.deepEqual(gateway.events("T2"), [event("4")])
      })
  )

  it.scoped("closes a replaced connection once, also when what was on its way to it fails (S124)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T1")
      const released = yield* Deferred.make<void>()
      let calls = 0
      const firstWaits = Effect.suspend(() => {
        calls += 1
        return calls === 1 ? Effect.zipRight(Deferred.await(released), TestGateway.unreachable) : TestGateway.takes
      })
      gateway.fate("T1", firstWaits)
      manager.find("R1")?.offer(event("1"))
      yield* settled
      yield* connect("R1", "T2")
      yield* Deferred.succeed(released, undefined)
      yield* manager.settled
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.lengthOf(
        gateway.calls().filter(({ close }) => close),
        1
      )
    })
  )

  it.scoped(
    "closes a connection that an offered event cannot reach at all, and leaves one whose sender hears of it",
    () =>
      Effect.gen(function* () {
        const { connect, gateway, manager } = yield* ConnectionRooms.make()
        for (const id of ["R1", "R2"]) {
          yield* connect(id)
          gateway.fate(id, ConnectionRooms.refused)
        }
        manager.find("R1")?.offer(event("x"))
        assert.equal((yield* Effect.flip(manager.send("R2", event("x"))))._tag, "InvalidRequest")
        yield* settled
        assert.deepEqual(
          manager.all().map(({ requestId }) => requestId),
          ["R2"]
        )
        assert.deepEqual(
          gateway.calls().flatMap(({ close, token }) => (close ? [token] : [])),
          ["R1"]
        )
      })
  )

  it.scoped("gives a replaced connection nothing that waited for another connection's send to end (S125)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make({
        maxSends: 1,
        patience: ConnectionRooms.patience
      })
      yield* connect("slow")
      yield* connect("R1", "T1")
      const released = yield* Deferred.make<void>()
      gateway.fate("slow", Deferred.await(released))
      manager.find("slow")?.offer(event("x"))
      const sent = yield* Effect.fork(manager.send("R1", event("1")))
      yield* settled
      yield* connect("R1", "T2")
      yield* Deferred.succeed(released, undefined)
      assert.isFalse(yield* Fiber.join(sent))
      assert.deepEqual(gateway.events("T1"), [])
    })
  )

  it.scoped(
    "forgets a connection by its present token, and ignores a disconnect of a replaced or unknown one (S126)",
    () =>
      Effect.gen(function* () {
        const { connect, manager } = yield* ConnectionRooms.make()
        let notified = 0
        yield* manager.observe("count", () => Effect.sync(() => (notified += 1)))
        yield* connect("R1", "T1")
        yield* connect("R1", "T2")
        assert.isFalse(yield* manager.disconnected("T1"))
        assert.isFalse(yield* manager.disconnected("T0"))
        assert.deepEqual(ids(manager.all()), ["R1"])
        assert.equal(notified, 2)
        assert.isTrue(yield* manager.disconnected("T2"))
        assert.isFalse(yield* manager.disconnected("T2"))
        assert.deepEqual(manager.all(), [])
        assert.isUndefined(manager.find("R1"))
        yield* settled
        assert.equal(notified, 2)
      })
  )

  it.scoped("registers nobody whose disconnect was faster than the connect", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T1")
      yield* manager.disconnected("T2")
      yield* connect("R1", "T2")
      assert.isTrue(yield* manager.send("R1", event("x")))
      assert.deepEqual(gateway.events("T1"), [event("x")])
    })
  )

  it.scoped("does not close a connection whose connect comes twice", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T1")
      yield* connect("R1", "T1")
      yield* connect("R2", "T1")
      assert.deepEqual(gateway.calls(), [])
      assert.deepEqual(ids(manager.all()), ["R1"])
    })
  )

  it.scoped(
    "tells three connections of a broadcast, none without an error, and says that an absent id is absent (S127)",
    () =>
      Effect.gen(function* () {
        const { connect, gateway, manager } = yield* ConnectionRooms.make()
        assert.equal(yield* manager.broadcast(event("x")), 0)
        assert.isFalse(yield* manager.send("R1", event("x")))
        for (const id of ["R1", "R2", "R3"]) yield* connect(id)
        assert.equal(yield* manager.broadcast(event("y"), "label"), 3)
        yield* manager.settled
        for (const id of ["R1", "R2", "R3"]) assert.deepEqual(gateway.events(id), [event("y")])
        assert.deepEqual(new Set(gateway.calls().map(({ service }) => service)), new Set(["label"]))
      })
  )

  it.scoped("forgets a connection that the gateway does not know, and the others of a broadcast receive (S128)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      for (const id of ["R1", "R2", "R3"]) yield* connect(id)
      gateway.fate("R2", TestGateway.gone)
      yield* manager.broadcast(event("x"))
      yield* manager.settled
      assert.deepEqual(ids(manager.all()), ["R1", "R3"])
      for (const id of ["R1", "R3"]) assert.deepEqual(gateway.events(id), [event("x")])
      assert.isTrue(
        gateway.calls().every(({ close }) => !close),
        "there is nothing to close"
      )
    })
  )

  it.scoped("keeps the newer connection of an id when an old token's 404 comes late (S128)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T1")
      const released = yield* Deferred.make<void>()
      gateway.fate("T1", Effect.zipRight(Deferred.await(released), TestGateway.gone))
      const sent = yield* Effect.fork(manager.send("R1", event("x")))
      yield* settled
      yield* connect("R1", "T2")
      yield* Deferred.succeed(released, undefined)
      assert.isFalse(yield* Fiber.join(sent))
      assert.isTrue(yield* manager.send("R1", event("y")))
      assert.deepEqual(gateway.events("T2"), [event("y")])
    })
  )

  it.scoped("gives 48 of 50 connections an event at once when one hangs and one is dead, within the bound (S129)", () =>
    Effect.gen(function* () {
      const maxSends = 8
      const { connect, gateway, manager } = yield* ConnectionRooms.make({
        maxSends,
        patience: ConnectionRooms.patience
      })
      const names = Array.from({ length: 50 }, (_, index) => `R${index}`)
      let inFlight = 0
      let most = 0
      const counted = (fate: TestGateway.Fate) =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            inFlight += 1
            most = Math.max(most, inFlight)
          }),
          () => Effect.zipRight(Effect.yieldNow(), fate),
          () => Effect.sync(() => (inFlight -= 1))
        )
      for (const name of names) {
        yield* connect(name)
        const fate = name === "R7" ? TestGateway.hangs : name === "R11" ? TestGateway.gone : TestGateway.takes
        gateway.fate(name, counted(fate))
      }
      assert.equal(yield* manager.broadcast(event("x")), 50, "the caller is not held")
      const served = () => names.filter((name) => gateway.events(name).length === 1)
      yield* settled
      yield* settled
      assert.lengthOf(served(), 48)
      assert.equal(most, maxSends)
      yield* TestClock.adjust("5 seconds")
      assert.lengthOf(manager.all(), 48, "the one that hung is closed")
    })
  )

  it.scoped(
    "closes a connection that cannot be told something, so that its client comes back, and logs an error (S132)",
    () =>
      Effect.gen(function* () {
        const { connect, gateway, manager } = yield* ConnectionRooms.make()
        const log = yield* CapturedLog.CapturedLog
        for (const [index, fate] of [
          TestGateway.unreachable,
          Effect.suspend(() => new Overloaded({ what: "gateway" })),
          Effect.die(new Error("broken")),
          Effect.interrupt
        ].entries()) {
          const id = `R${index}`
          yield* connect(id)
          gateway.fate(id, fate)
          manager.find(id)?.offer(event("x"))
          yield* settled
          assert.isUndefined(manager.find(id))
          assert.isTrue(gateway.calls().some(({ close, token }) => close && token === id))
          assert.isTrue(log.some(({ level, text }) => level === "ERROR" && text.includes(`did not reach ${id}`)))
        }
      }).pipe(Effect.provide(CapturedLog.layer))
  )

  it.scoped("keeps a connection whose event the gateway refuses, since the connection is not to blame", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1")
      gateway.fate("R1", ConnectionRooms.refused)
      const error = yield* Effect.flip(manager.send("R1", event("x")))
      assert.equal(error._tag, "InvalidRequest")
      gateway.fate("R1", TestGateway.takes)
      assert.isTrue(yield* manager.send("R1", event("y")))
    })
  )

  it.scoped("tells a sender how its send ended, whatever the gateway did with it", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      for (const [token, fate, expected] of [
        ["T1", Effect.die(new Error("broken")), "GatewayUnavailable"],
        ["T2", Effect.interrupt, "GatewayUnavailable"],
        ["T3", Effect.suspend(() => new WriteFailed()), "WriteFailed"],
        ["T4", TestGateway.unreachable, "GatewayUnavailable"]
      ] as const) {
        yield* connect("R1", token)
        gateway.fate(token, fate)
        const error = yield* Effect.flip(manager.send("R1", event("x")))
        assert.equal(error._tag, expected)
        assert.isUndefined(manager.find("R1"))
      }
    })
  )

  it.scoped("closes a connection for which more than 100 events wait, and says so to who offers the next one", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1")
      gateway.fate("R1", TestGateway.hangs)
      const connection = manager.find("R1")
      connection?.offer(event("in flight"))
      yield* settled
      const waiting = yield* Effect.fork(manager.send("R1", event("waiting")))
      yield* settled
      for (let index = 0; index < 99; index += 1) assert.isTrue(connection?.offer(event("x")))
      assert.isFalse(connection?.offer(event("one too many")))
      assert.isUndefined(manager.find("R1"))
      assert.isFalse(yield* Fiber.join(waiting), "who waited hears that it is gone")
    })
  )

  it.scoped(
    "closes a connection for which more than 256 KiB wait, but takes one event of any size when nothing does",
    () =>
      Effect.gen(function* () {
        const { connect, gateway, manager } = yield* ConnectionRooms.make()
        const large = event("x".repeat(300_000))
        yield* connect("R1")
        gateway.fate("R1", TestGateway.hangs)
        const connection = manager.find("R1")
        connection?.offer(event("in flight"))
        yield* settled
        assert.isTrue(connection?.offer(large))
        assert.isFalse(connection?.offer(event("x")))
        assert.isUndefined(manager.find("R1"))
      })
  )

  it.scoped("leaves no sender waiting when the connections are closed", () =>
    Effect.gen(function* () {
      const { close, connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1")
      gateway.fate("R1", TestGateway.hangs)
      const inFlight = yield* Effect.fork(Effect.flip(manager.send("R1", event("1"))))
      const waiting = yield* Effect.fork(manager.send("R1", event("2")))
      yield* settled
      yield* close
      assert.equal((yield* Fiber.join(inFlight))._tag, "GatewayUnavailable")
      assert.isFalse(yield* Fiber.join(waiting))
    })
  )

  it.scoped(
    "knows nothing of a former connection with the same request id: neither subject nor what it was told (S141)",
    () =>
      Effect.gen(function* () {
        const { connect, gateway, manager } = yield* ConnectionRooms.make()
        const heard: Array<string | undefined> = []
        yield* manager.observe("identity", ({ subject }) => Effect.sync(() => heard.push(subject)))
        yield* connect("R1", "T1", "alice")
        const alice = manager.find("R1")
        yield* connect("R1", "T2")
        assert.deepEqual(heard, ["alice", undefined])
        assert.isUndefined(manager.find("R1")?.subject)
        assert.isFalse(alice?.offer(event("for alice")))
        yield* settled
        assert.deepEqual(gateway.events("T2"), [])
      })
  )

  it.scoped("learns after a restart what is open, tells observers of each, and can send at once (S142)", () =>
    Effect.gen(function* () {
      const { gateway, manager } = yield* ConnectionRooms.make()
      const heard: Array<string> = []
      yield* manager.observe("heard", ({ requestId, url }) => Effect.sync(() => heard.push(`${requestId} ${url}`)))
      gateway.isOpen([
        { token: "T1", requestId: "R1" },
        { token: "T2", requestId: "R2" },
        { token: "T3", requestId: undefined }
      ])
      assert.equal(yield* manager.relearn, 2)
      assert.equal(yield* manager.relearn, 0, "what is known is not learnt again")
      yield* settled
      assert.deepEqual(heard, ["R1 undefined", "R2 undefined"])
      assert.isTrue(yield* manager.send("R2", event("x")))
      assert.deepEqual(gateway.events("T2"), [event("x")])
      assert.isTrue(yield* manager.disconnected("T1"))
    })
  )

  it.scoped("learns no connection that ended while the list was on its way (S142)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T1")
      gateway.isOpen([
        { token: "T1", requestId: "R1" },
        { token: "T2", requestId: "R2" }
      ])
      yield* manager.disconnected("T1")
      yield* manager.disconnected("T2")
      assert.equal(yield* manager.relearn, 0)
      assert.deepEqual(manager.all(), [])
    })
  )

  it.scoped("closes a listed connection whose request id has another one by now, so that each has one (S142)", () =>
    Effect.gen(function* () {
      const { connect, gateway, manager } = yield* ConnectionRooms.make()
      yield* connect("R1", "T2")
      gateway.isOpen([
        { token: "T1", requestId: "R1" },
        { token: "T2", requestId: "R1" }
      ])
      assert.equal(yield* manager.relearn, 0)
      yield* settled
      assert.deepEqual(
        gateway.calls().map(({ close, token }) => [token, close]),
        [["T1", true]]
      )
      assert.isTrue(yield* manager.send("R1", event("x")))
      assert.deepEqual(gateway.events("T2"), [event("x")])
    })
  )
})
