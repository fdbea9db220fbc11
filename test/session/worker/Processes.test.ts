import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Fiber, Stream, TestClock } from "effect"
import { AlreadyRuns, InvalidTransition, NothingRuns, SessionNotFound } from "../../../src/domain/SessionError.ts"
import type { Process } from "../../../src/process/Process.ts"
import * as FaultyStore from "../../../src/testing/FaultyStore.ts"
import * as TestProcess from "../../../src/testing/TestProcess.ts"
import { settled } from "../../store/StoreWriterTurn.ts"
import { layer, log, logWith, message, rooms } from "../ProcessRooms.ts"
import { events, s1, s2 } from "../SessionRooms.ts"

/** What the process's author failed with. */
class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const begun = ["starting", "STARTING", "started", "ACTIVE"]

/** A session with a process that follows `script`, and has started. */
const attached = (script?: TestProcess.Script, exit?: Parameters<typeof TestProcess.make>[1]) =>
  Effect.gen(function* () {
    const all = yield* rooms
    const child = yield* TestProcess.make(script, exit)
    yield* all.processes.attach(s1, child.process)
    assert.deepEqual(yield* logWith(s1, "ACTIVE"), begun)
    return { ...all, child }
  })

/** What the log has beside the beginning. */
const since = (start: string) => Effect.map(logWith(s1, start), (lines) => lines.slice(begun.length))

describe("a process", () => {
  it.effect("creates its session, makes it ACTIVE, and its output is the log", () =>
    Effect.gen(function* () {
      const { child, sessions } = yield* attached()
      yield* child.emit(...events("1", "2"))
      yield* child.emit({ name: "delta", data: "3" })
      assert.deepEqual(yield* since("3"), ["1", "2", "3"])
      assert.equal((yield* sessions.get(s1)).state, "ACTIVE")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("ends its session when it ends, with its exit code, and nothing of it is left", () =>
    Effect.gen(function* () {
      const { child, processes, sessions } = yield* attached({}, { code: 3, signal: null })
      yield* child.emit(...events("last words"))
      yield* child.end()
      assert.deepEqual(yield* since("ENDED"), ["last words", "exited 3", "CLOSING (exited)", "ENDED (exited)"])
      yield* settled
      assert.deepEqual([processes.size(), sessions.find(s1)?.isBusy, child.heard], [0, false, ["start", "close"]])
      assert.instanceOf(yield* Effect.flip(processes.interrupt(s1)), NothingRuns)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that cannot start is told, and its session ends", () =>
    Effect.gen(function* () {
      const { processes } = yield* rooms
      const child = yield* TestProcess.make({ start: new Broken({ message: "no such program" }) })
      yield* processes.attach(s1, child.process)
      const lines = yield* logWith(s1, "ENDED")
      const end = ["start_failed: no such program", "CLOSING (start_failed)", "ENDED (start_failed)"]
      assert.deepEqual(lines, ["starting", "STARTING", ...end])
    }).pipe(Effect.provide(layer()))
  )

  // promise 6
  it.effect("whose output fails or dies ends its own session alone, with the cause in words", () =>
    Effect.gen(function* () {
      const { child, processes, sessions } = yield* attached()
      const other = yield* TestProcess.make()
      yield* processes.attach(s2, other.process)
      yield* logWith(s2, "ACTIVE")
      yield* child.end({ why: "broken" })
      const end = ['failed: {"why":"broken"}', "exited", "CLOSING (failed)", "ENDED (failed)"]
      assert.deepEqual(yield* since("ENDED"), end)
      yield* other.emit(...events("alive"))
      assert.include(yield* logWith(s2, "alive"), "alive")
      assert.equal((yield* sessions.get(s2)).state, "ACTIVE")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("cannot forge what the server says, nor write what no frame can hold", () =>
    Effect.gen(function* () {
      const { child } = yield* attached()
      yield* child.emit({ name: "ok", data: "1" }, { name: "sluice.state", data: "{}" })
      const lines = yield* since("ENDED")
      assert.match(lines[0] ?? "", /^failed: an event of its output has a name that must not start with sluice\./)
      assert.notInclude(lines, "1") // all of a chunk or nothing
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is one per session: another is refused, also while the first one starts", () =>
    Effect.gen(function* () {
      const { processes } = yield* rooms
      const starts = yield* Deferred.make<void>()
      const first = yield* TestProcess.make({ start: Deferred.await(starts) })
      const second = yield* TestProcess.make()
      const attaching = yield* Effect.fork(processes.attach(s1, first.process))
      assert.instanceOf(
        yield* Effect.flip(Effect.zipRight(first.hears("start"), processes.attach(s1, second.process))),
        AlreadyRuns
      )
      yield* Deferred.succeed(starts, undefined)
      yield* Fiber.join(attaching)
      assert.instanceOf(yield* Effect.flip(processes.attach(s1, second.process)), AlreadyRuns)
      assert.deepEqual(second.heard, [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("cannot be put to work for a session that has ended, and nothing changes", () =>
    Effect.gen(function* () {
      const { processes, sessions } = yield* rooms
      yield* sessions.append(s1, { events: events("1") })
      yield* sessions.move(s1, "ENDED")
      const child = yield* TestProcess.make()
      assert.instanceOf(yield* Effect.flip(processes.attach(s1, child.process)), InvalidTransition)
      assert.deepEqual([yield* log(s1), child.heard, processes.size()], [["1", "ENDED"], [], 0])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("goes on without a watcher, and its actor stays awake for it (S105)", () =>
    Effect.gen(function* () {
      const { child, sessions } = yield* attached()
      yield* TestClock.adjust("2 minutes")
      assert.equal(sessions.size(), 1)
      yield* child.emit(...events("still here"))
      assert.deepEqual(yield* since("still here"), ["still here"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is slowed by the log: nothing more of its output is pulled while the store takes its time (S107)", () =>
    Effect.gen(function* () {
      const { faulty, processes } = yield* rooms
      let pulled = 0
      const output = Stream.repeatEffect(
        Effect.sync(() => {
          pulled += 1
          return { name: "n", data: String(pulled) }
        })
      )
      const flood: Process = { output, send: () => Effect.void, interrupt: Effect.void, stop: Effect.void }
      const held = yield* FaultyStore.holds
      faulty.next("commit", held, { when: ({ batches }) => batches.some(({ events }) => events[0]?.name === "n") })
      yield* processes.attach(s1, Effect.succeed(flood))
      yield* held.reached
      const before = pulled
      for (let turn = 0; turn < 20; turn++) yield* settled
      assert.equal(pulled, before)
      yield* held.release
      while (pulled < before + 10) yield* settled
    }).pipe(Effect.provide(layer()))
  )
})

describe("an interrupt", () => {
  it.effect("is accepted in the log before anything is done, and has its outcome there", () =>
    Effect.gen(function* () {
      const { child, processes } = yield* attached()
      const { seq } = yield* processes.interrupt(s1)
      assert.equal(seq, 5)
      assert.deepEqual(yield* since("interrupted"), ["interrupting", "interrupted"])
      assert.deepEqual(child.heard, ["start", "interrupt"])
    }).pipe(Effect.provide(layer()))
  )

  for (const [what, interrupt, problem] of [
    ["fails", new Broken({ message: "no way" }), "no way"],
    ["rejects", Effect.promise(() => Promise.reject(new Broken({ message: "rejected" }))), "rejected"],
    ["dies", Effect.die(new TypeError("x is undefined")), "x is undefined"],
    [
      "throws",
      Effect.sync((): void => {
        // The defect under test.
        throw new TypeError("thrown")
      }),
      "thrown"
    ]
  ] as const) {
    it.effect(`that ${what} is told, hurts nobody, and its message still reaches the process, once (S101, S102)`, () =>
      Effect.gen(function* () {
        const { child, processes, sessions } = yield* attached({ interrupt })
        yield* processes.interrupt(s1, message("m1"))
        yield* child.hears("send m1")
        const told = ["interrupting", "message m1", `interrupt_failed: ${problem}`]
        assert.deepEqual(yield* since("interrupt_failed"), told)
        assert.deepEqual(child.heard, ["start", "interrupt", "send m1"])
        assert.equal((yield* sessions.get(s1)).state, "ACTIVE")
        yield* child.emit(...events("goes on"))
        assert.include(yield* since("goes on"), "goes on")
      }).pipe(Effect.provide(layer()))
    )
  }

  it.effect(
    "that never returns is given 5 seconds, then the process is stopped; the message's failure is told (S101)",
    () =>
      Effect.gen(function* () {
        const { child, processes } = yield* attached({ interrupt: Effect.never, send: () => Effect.never })
        yield* processes.interrupt(s1, message("m1"))
        yield* child.hears("interrupt")
        yield* TestClock.adjust("4999 millis")
        yield* settled
        assert.deepEqual(yield* since("interrupting"), ["interrupting", "message m1"])
        yield* TestClock.adjust("1 millis")
        const lines = yield* since("ENDED")
        assert.deepEqual(lines.slice(2, 5), [
          "interrupt_failed: it was not done within 5s",
          "stopping",
          "CLOSING (interrupt_failed)"
        ])
        assert.deepEqual(lines.slice(-1), ["ENDED (interrupt_failed)"])
        assert.isTrue(
          lines.some((line) => line.startsWith("message_unknown m1") || line.startsWith("message_failed m1"))
        )
        assert.include(child.heard, "stop")
      }).pipe(Effect.provide(layer()))
  )

  it.effect("that does not even listen to its own end is left alone after 5 seconds", () =>
    Effect.gen(function* () {
      const { child, processes } = yield* attached({ interrupt: Effect.uninterruptible(Effect.never) })
      yield* processes.interrupt(s1)
      yield* child.hears("interrupt")
      yield* TestClock.adjust("5 seconds")
      assert.deepEqual((yield* since("ENDED")).slice(-1), ["ENDED (interrupt_failed)"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("stops the sub-tasks first, all at once; one that fails or hangs keeps nothing from its turn (S102)", () =>
    Effect.gen(function* () {
      const stopped: Array<string> = []
      const subTask = (name: string, then: Effect.Effect<void, unknown>) => ({
        name,
        stop: Effect.zipRight(
          Effect.sync(() => stopped.push(name)),
          then
        )
      })
      const subTasks = [
        subTask("a", Effect.void),
        subTask("b", new Broken({ message: "busy" })),
        subTask("c", Effect.never)
      ]
      const { child, processes } = yield* attached({ subTasks, interrupt: new Broken({ message: "no" }) })
      yield* processes.interrupt(s1, message("m1"))
      yield* logWith(s1, "subtask_failed b")
      assert.deepEqual([stopped, child.heard], [["a", "b", "c"], ["start"]])
      yield* TestClock.adjust("5 seconds")
      yield* child.hears("send m1")
      assert.deepEqual(yield* since("interrupt_failed"), [
        "interrupting",
        "message m1",
        "subtask_failed b: busy",
        "subtask_failed c: it was not done within 5s",
        "interrupt_failed: no"
      ])
      assert.deepEqual(child.heard, ["start", "interrupt", "send m1"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is one, however many come while it is under way, and each has its receipt", () =>
    Effect.gen(function* () {
      const goes = yield* Deferred.make<void>()
      const { child, processes } = yield* attached({ interrupt: Deferred.await(goes) })
      const asked = yield* Effect.all(
        Array.from({ length: 100 }, () => processes.interrupt(s1)),
        { concurrency: "unbounded" }
      )
      assert.deepEqual(new Set(asked.map(({ seq }) => seq)), new Set([5]))
      yield* Deferred.succeed(goes, undefined)
      assert.deepEqual(yield* since("interrupted"), ["interrupting", "interrupted"])
      assert.deepEqual(child.heard, ["start", "interrupt"])
      assert.equal((yield* processes.interrupt(s1)).seq, 7) // the next one is another
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of a process that ends meanwhile is told as failed, before the end", () =>
    Effect.gen(function* () {
      const { child, processes } = yield* attached({ interrupt: Effect.never })
      yield* processes.interrupt(s1)
      yield* child.hears("interrupt")
      yield* child.end()
      assert.deepEqual((yield* since("ENDED")).slice(0, 3), [
        "interrupting",
        "interrupt_failed: the process ended meanwhile",
        "exited"
      ])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of a session that nobody knows is not found; where nothing runs, that is the answer (S103)", () =>
    Effect.gen(function* () {
      const { processes, sessions, store } = yield* rooms
      for (const ask of [processes.interrupt, processes.stop]) {
        assert.instanceOf(yield* Effect.flip(ask(s2)), SessionNotFound)
        yield* sessions.append(s1, { events: events("1") })
        assert.instanceOf(yield* Effect.flip(ask(s1)), NothingRuns)
        assert.instanceOf(yield* Effect.flip(ask(s1, message("m1"))), NothingRuns)
      }
      assert.deepEqual([yield* log(s1), (yield* store.load(s2))._tag], [["1", "1"], "None"])
    }).pipe(Effect.provide(layer()))
  )
})

describe("a stop", () => {
  it.effect("closes the session at once, and ends it when the process has ended", () =>
    Effect.gen(function* () {
      const goes = yield* Deferred.make<void>()
      const { child, processes, sessions } = yield* attached({ stop: Deferred.await(goes) })
      assert.equal((yield* processes.stop(s1)).seq, 5)
      assert.equal((yield* sessions.get(s1)).state, "CLOSING")
      yield* child.emit(...events("cleaning up"))
      yield* logWith(s1, "cleaning up")
      yield* Deferred.succeed(goes, undefined)
      yield* child.end()
      const end = ["stopping", "CLOSING (stopped)", "cleaning up", "exited", "ENDED (stopped)"]
      assert.deepEqual(yield* since("ENDED"), end)
    }).pipe(Effect.provide(layer()))
  )

  for (const [what, stop, problem] of [
    ["never returns", Effect.never, "it was not done within 5s"],
    ["returns though the process goes on", Effect.void, "it was not done within 5s"]
  ] as const) {
    it.effect(`that ${what} is given 5 seconds, then the process is ended by its scope`, () =>
      Effect.gen(function* () {
        const { child, processes } = yield* attached({ stop })
        yield* processes.stop(s1)
        yield* child.hears("stop")
        yield* TestClock.adjust("4999 millis")
        yield* settled
        assert.notInclude(child.heard, "close")
        yield* TestClock.adjust("1 millis")
        assert.deepEqual((yield* since("ENDED")).slice(2), [`stop_failed: ${problem}`, "exited", "ENDED (stopped)"])
        assert.include(child.heard, "close")
      }).pipe(Effect.provide(layer()))
    )
  }

  it.effect("that dies ends the process by its scope, at once", () =>
    Effect.gen(function* () {
      const { child, processes } = yield* attached({ stop: Effect.die("boom") })
      yield* processes.stop(s1)
      assert.deepEqual((yield* since("ENDED")).slice(2), ["stop_failed: boom", "exited", "ENDED (stopped)"])
      assert.include(child.heard, "close")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of a process whose scope does not close ends its session all the same", () =>
    Effect.gen(function* () {
      const { processes } = yield* attached({ close: Effect.never })
      yield* processes.stop(s1)
      yield* logWith(s1, "CLOSING")
      yield* settled
      yield* TestClock.adjust("10 seconds")
      assert.deepEqual((yield* since("ENDED")).slice(-1), ["ENDED (stopped)"])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is one, however many come", () =>
    Effect.gen(function* () {
      const { child, processes } = yield* attached()
      const asked = yield* Effect.all([processes.stop(s1), processes.stop(s1), processes.stop(s1)], { concurrency: 3 })
      assert.deepEqual(
        asked.map(({ seq }) => seq),
        [5, 5, 5]
      )
      yield* logWith(s1, "ENDED")
      assert.equal(child.heard.filter((what) => what === "stop").length, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of a process that has not started yet breaks its start off", () =>
    Effect.gen(function* () {
      const { processes } = yield* rooms
      const child = yield* TestProcess.make({ start: Effect.never })
      yield* processes.attach(s1, child.process)
      yield* child.hears("start")
      yield* processes.stop(s1)
      assert.deepEqual((yield* logWith(s1, "ENDED")).slice(-1), ["ENDED (stopped)"])
      assert.equal(processes.size(), 0)
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is what moving its session to CLOSING means, whoever does it", () =>
    Effect.gen(function* () {
      const { child, sessions } = yield* attached()
      yield* sessions.move(s1, "CLOSING", "operator")
      assert.deepEqual(yield* since("ENDED"), ["CLOSING (operator)", "exited", "ENDED (closed)"])
      assert.include(child.heard, "stop")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("is what a delete means: the process ends, and writes nothing into a new log of that name", () =>
    Effect.gen(function* () {
      const { child, processes, sessions } = yield* attached()
      yield* sessions.remove(s1)
      yield* child.hears("close")
      yield* settled
      yield* sessions.append(s1, { events: events("new") })
      assert.deepEqual([yield* log(s1), processes.size()], [["new"], 0])
    }).pipe(Effect.provide(layer()))
  )
})
