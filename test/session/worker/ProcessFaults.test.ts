import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Layer, Option, Scope, Stream } from "effect"
import type { SessionId } from "../../../src/domain/Session.ts"
import { NothingRuns, SessionNotFound, StoreError } from "../../../src/domain/SessionError.ts"
import type { Process } from "../../../src/process/Process.ts"
import * as FaultyStore from "../../../src/testing/FaultyStore.ts"
import * as TestProcess from "../../../src/testing/TestProcess.ts"
import { settled } from "../../store/StoreWriterTurn.ts"
import * as ProcessRooms from "../ProcessRooms.ts"
import { events, s1, s2 } from "../SessionRooms.ts"

const { layer, log, message, rooms } = ProcessRooms

/** Real waits are many turns. */
const logWith = (session: SessionId, start: string) => ProcessRooms.logWith(session, start, 50_000)

/** Real time, with short deadlines: what must not hang is seen to be done. */
const quick = { process: { deadline: Duration.millis(100) } }

const attached = (script?: TestProcess.Script, options?: { readonly isResumable?: boolean }) =>
  Effect.gen(function* () {
    const all = yield* rooms
    const child = yield* TestProcess.make(script)
    yield* all.processes.attach(s1, child.process, options)
    yield* logWith(s1, "ACTIVE")
    return { ...all, child }
  })

/** Rooms that the test closes itself, with what `use` did in them before. */
const closing = <A, E>(use: Effect.Effect<A, E, Effect.Effect.Context<typeof rooms>>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer(quick), scope)
    const used = yield* Effect.provide(use, context)
    yield* Scope.close(scope, Exit.void)
    return used
  })

const full = (faulty: typeof FaultyStore.FaultyStore.Service) =>
  faulty.next("commit", FaultyStore.fails("Full"), { times: Number.POSITIVE_INFINITY })

describe("with a store that is full", () => {
  it.live(
    "an interrupt is refused, a stop is told that it is not recorded but made all the same, and the server stops",
    () =>
      Effect.gen(function* () {
        const { asked, heard } = yield* closing(
          Effect.gen(function* () {
            const { child, faulty, processes } = yield* attached()
            full(faulty)
            const asked = [yield* Effect.flip(processes.interrupt(s1)), yield* Effect.flip(processes.stop(s1))]
            yield* child.hears("close")
            return { asked, heard: child.heard }
          })
        )
        for (const error of asked) assert.instanceOf(error, StoreError)
        assert.deepEqual(heard, ["start", "stop", "close"])
      })
  )

  for (const [what, drains] of [
    ["a process that runs", false],
    ["a process that is drained", true]
  ] as const) {
    it.live(`${what} does not keep the server from its stop`, () =>
      closing(
        Effect.gen(function* () {
          const { faulty, processes } = yield* attached()
          full(faulty)
          if (drains) yield* processes.drain
        })
      )
    )
  }

  it.live("the end of a process waits for space, with all that could not be told before", () =>
    Effect.gen(function* () {
      const { child, faulty, processes } = yield* attached({ interrupt: Effect.die("no") })
      const commits = () => faulty.calls("commit").length
      yield* processes.interrupt(s1).pipe(Effect.zipLeft(Effect.sync(() => full(faulty))))
      yield* child.hears("interrupt")
      yield* child.end()
      const before = commits()
      while (commits() < before + 3) yield* settled
      faulty.heal()
      assert.deepEqual((yield* logWith(s1, "ENDED")).slice(4), [
        "interrupting",
        "interrupt_failed: no",
        "exited",
        "CLOSING (exited)",
        "ENDED (exited)"
      ])
    }).pipe(Effect.provide(layer(quick)))
  )
})

describe("a process that listens to nothing", () => {
  for (const [what, output] of [
    ["pulls its output without end", Stream.fromEffect(Effect.uninterruptible(Effect.never))],
    ["hangs when its output is closed", Stream.ensuring(Stream.never, Effect.never)]
  ] as const) {
    it.live(`and ${what} is ended by its scope, and holds up neither a stop nor the server`, () =>
      closing(
        Effect.gen(function* () {
          const { processes } = yield* rooms
          const closed = yield* Deferred.make<void>()
          const deaf: Process = { output, send: () => Effect.void, interrupt: Effect.void, stop: Effect.void }
          const made = Effect.acquireRelease(Effect.succeed(deaf), () => Deferred.succeed(closed, undefined))
          yield* processes.attach(s1, made)
          yield* logWith(s1, "ACTIVE")
          yield* processes.stop(s1)
          yield* Deferred.await(closed)
          yield* processes.drain
          assert.deepEqual((yield* log(s1)).slice(-1), ["ENDED (stopped)"])
        })
      )
    )
  }

  it.live("and takes a message for ever is ended all the same, and the message is told as unknown", () =>
    Effect.gen(function* () {
      const { child, messages, processes } = yield* attached({ send: () => Effect.uninterruptible(Effect.never) })
      yield* messages.accept(s1, message("m1"))
      yield* child.hears("send m1")
      yield* processes.stop(s1)
      yield* child.hears("close")
      yield* processes.drain
      assert.match((yield* log(s1)).join("\n"), /^message_unknown m1: /m)
    }).pipe(Effect.provide(layer(quick)))
  )

  it.live(
    "but throws when it is asked for its output is told as failed, with the cause, also when it could be resumed",
    () =>
      Effect.gen(function* () {
        const { processes } = yield* rooms
        const broken: Process = {
          get output(): Stream.Stream<never> {
            throw new TypeError("no output here")
          },
          send: () => Effect.void,
          interrupt: Effect.void,
          stop: Effect.void
        }
        yield* processes.attach(s1, Effect.succeed(broken), { isResumable: true })
        const lines = yield* logWith(s1, "ENDED")
        assert.deepEqual(lines.slice(4), ["failed: no output here", "exited", "CLOSING (failed)", "ENDED (failed)"])
      }).pipe(Effect.provide(layer(quick)))
  )
})

describe("when the outcome of a commit is unknown", () => {
  it.live("output is in the log once, and goes on", () =>
    Effect.gen(function* () {
      const { child, faulty } = yield* attached()
      faulty.next("commit", FaultyStore.diesAfter("stored, but nobody knows"))
      yield* child.emit(...events("once"))
      yield* child.emit(...events("then"))
      assert.deepEqual((yield* logWith(s1, "then")).slice(4), ["once", "then"])
      faulty.next("commit", FaultyStore.dies("not stored"))
      yield* child.emit(...events("again"))
      assert.deepEqual((yield* logWith(s1, "again")).slice(4), ["once", "then", "again"])
    }).pipe(Effect.provide(layer(quick)))
  )

  it.live("a message whose sender asks again is dispatched, once", () =>
    Effect.gen(function* () {
      const { child, faulty, messages, store } = yield* attached()
      yield* settled
      faulty.next("commit", FaultyStore.diesAfter("stored, but nobody knows"))
      yield* Effect.flip(messages.accept(s1, message("m1")))
      assert.equal((yield* messages.accept(s1, message("m1"))).isNew, false)
      yield* child.hears("send m1")
      while ((yield* store.openMessages(s1, 10)).length > 0) yield* settled
      assert.equal(child.heard.filter((what) => what === "send m1").length, 1)
    }).pipe(Effect.provide(layer(quick)))
  )

  it.live("an attach is made, and can be stopped", () =>
    Effect.gen(function* () {
      const { faulty, processes, sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      const child = yield* TestProcess.make()
      faulty.next("commit", FaultyStore.diesAfter("stored, but nobody knows"))
      yield* processes.attach(s1, child.process)
      yield* processes.stop(s1)
      assert.deepEqual((yield* logWith(s1, "ENDED")).slice(-1), ["ENDED (stopped)"])
    }).pipe(Effect.provide(layer(quick)))
  )
})

describe("at the end of a process", () => {
  it.live("a message that is accepted just then is told: none is lost in silence", () =>
    Effect.gen(function* () {
      const { child, faulty, messages, store } = yield* attached()
      const looked = yield* FaultyStore.holdsAnswer
      yield* child.hears("start")
      yield* settled
      yield* child.end()
      yield* child.hears("close")
      faulty.next("openMessages", looked)
      yield* looked.reached
      yield* messages.accept(s1, message("m1"))
      yield* looked.release
      const lines = yield* logWith(s1, "ENDED")
      assert.include(lines, "message_failed m1: the process ended before it took the message")
      assert.deepEqual(yield* store.openMessages(s1, 10), [])
    }).pipe(Effect.provide(layer(quick)))
  )

  it.live("everything is told once, though the store refuses in the middle of it", () =>
    Effect.gen(function* () {
      const { child, faulty, messages } = yield* attached({ send: () => Effect.never })
      for (const id of ["m1", "m2"]) yield* messages.accept(s1, message(id))
      yield* child.hears("send m1")
      faulty.next("commit", FaultyStore.fails("Unavailable"), { times: 2 })
      yield* child.end()
      const lines = (yield* logWith(s1, "ENDED")).slice(6).map((line) => line.split(":")[0])
      assert.deepEqual(lines, [
        "message_unknown m1",
        "message_failed m2",
        "exited",
        "CLOSING (exited)",
        "ENDED (exited)"
      ])
    }).pipe(Effect.provide(layer(quick)))
  )

  it.live("PUT ENDED over a process that closes tells how it ended, and the truth of its messages", () =>
    Effect.gen(function* () {
      const { child, messages, processes, sessions } = yield* attached({ send: () => Effect.never, stop: Effect.never })
      yield* messages.accept(s1, message("m1"))
      yield* child.hears("send m1")
      yield* processes.stop(s1)
      assert.equal((yield* sessions.move(s1, "ENDED", "operator")).state, "ENDED")
      const lines = (yield* log(s1)).slice(-3).map((line) => line.split(":")[0])
      assert.deepEqual(lines, ["message_unknown m1", "exited", "ENDED (operator)"])
      assert.include(child.heard, "close")
    }).pipe(Effect.provide(layer()))
  )
})

describe("what is asked", () => {
  it.live(
    "of a process that is being stopped: an interrupt finds nothing to interrupt, a second stop is the same one",
    () =>
      Effect.gen(function* () {
        const { child, processes } = yield* attached({ stop: Effect.never })
        const { seq } = yield* processes.stop(s1)
        yield* child.hears("stop")
        assert.instanceOf(yield* Effect.flip(processes.interrupt(s1)), NothingRuns)
        assert.instanceOf(yield* Effect.flip(processes.interrupt(s1, message("m1"))), NothingRuns)
        assert.equal((yield* processes.stop(s1)).seq, seq)
        assert.notInclude((yield* log(s1)).join(), "m1")
      }).pipe(Effect.provide(layer()))
  )

  it.live("of a process whose session was closed by someone else is accepted: it is being stopped", () =>
    Effect.gen(function* () {
      const { processes, sessions } = yield* attached({ stop: Effect.never })
      yield* sessions.move(s1, "CLOSING")
      assert.equal((yield* processes.stop(s1)).seq, 5)
    }).pipe(Effect.provide(layer()))
  )

  it.live("of a new session is not done to the process of a deleted one of that name, which still ends", () =>
    Effect.gen(function* () {
      const { child, messages, processes, sessions } = yield* attached({ close: Effect.never })
      yield* sessions.remove(s1)
      yield* child.hears("close")
      yield* sessions.append(s1, { events: events("new") })
      assert.instanceOf(yield* Effect.flip(processes.interrupt(s1, message("m1"))), NothingRuns)
      assert.instanceOf(yield* Effect.flip(processes.stop(s1)), NothingRuns)
      yield* messages.accept(s1, message("m2"))
      assert.deepEqual(yield* log(s1), ["new", "message m2"])
      assert.deepEqual(child.heard, ["start", "close"])
    }).pipe(Effect.provide(layer()))
  )

  it.live("of an id that nobody knows costs no actor", () =>
    Effect.gen(function* () {
      const { processes, sessions } = yield* rooms
      for (const ask of [processes.stop(s2), processes.interrupt(s2), Effect.asVoid(sessions.move(s2, "ENDED"))]) {
        assert.instanceOf(yield* Effect.flip(Effect.asVoid(ask)), SessionNotFound)
      }
      assert.equal(sessions.size(), 0)
    }).pipe(Effect.provide(layer()))
  )
})

describe("a drain", () => {
  it.live("waits for no process whose attach is refused, and lets none begin that was on its way", () =>
    Effect.gen(function* () {
      const { faulty, processes } = yield* rooms
      const loads = yield* FaultyStore.holds
      faulty.next("load", loads)
      const late = yield* TestProcess.make()
      const attaching = yield* Effect.fork(Effect.either(processes.attach(s1, late.process)))
      yield* loads.reached
      const drained = yield* Effect.fork(processes.drain)
      yield* settled
      yield* loads.release
      yield* Fiber.join(drained)
      assert.equal((yield* Fiber.join(attaching))._tag, "Left")
      assert.deepEqual([late.heard, processes.size()], [[], 0])
    }).pipe(Effect.provide(layer()))
  )

  it.live("is done when the append of an attach was refused meanwhile", () =>
    Effect.gen(function* () {
      const { faulty, processes } = yield* rooms
      const held = yield* FaultyStore.holds
      faulty.next("commit", { on: (call) => Effect.zipRight(held.on(Effect.void), FaultyStore.fails("Full").on(call)) })
      const child = yield* TestProcess.make()
      const attaching = yield* Effect.fork(Effect.flip(processes.attach(s1, child.process, { isResumable: true })))
      yield* held.reached
      const drained = yield* Effect.fork(processes.drain)
      yield* settled
      yield* held.release
      yield* Fiber.join(drained)
      assert.instanceOf(yield* Fiber.join(attaching), StoreError)
    }).pipe(Effect.provide(layer()))
  )
})

describe("output of a process", () => {
  it.live("is as cheap as any other: its commits write nothing but events", () =>
    Effect.gen(function* () {
      const { child, faulty, store } = yield* attached()
      yield* child.emit(...events("1"))
      yield* logWith(s1, "1")
      const batches = faulty.calls("commit").flatMap(({ batches }) => batches)
      const output = batches.filter(({ events }) => events[0]?.data === "1")
      assert.deepEqual(
        output.map(({ standing }) => standing),
        [undefined]
      )
      assert.deepEqual(
        Option.map(yield* store.load(s1), ({ state }) => state),
        Option.some("ACTIVE")
      )
    }).pipe(Effect.provide(layer()))
  )
})
