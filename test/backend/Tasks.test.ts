import { assert, describe, it } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { TaskProgress } from "../../src/backend/Tasks.ts"
import { StoreError } from "../../src/domain/SessionError.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import * as CapturedLog from "../session/CapturedLog.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as BackendRooms from "./BackendRooms.ts"
import * as FaultyRetained from "./FaultyRetained.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly message: string }> {}

const report = (progress: number, message?: string) =>
  Effect.flatMap(TaskProgress, (task) => task.report(progress, message))

/** What a connection was told of tasks: status, progress and message. */
const told = (rooms: BackendRooms.Rooms, token = "R1") =>
  rooms
    .told(token, "task")
    .map(({ data: { message, progress, status } }) =>
      message === undefined ? [status, progress] : [status, progress, message]
    )

const statuses = (rooms: BackendRooms.Rooms, token = "R1") => told(rooms, token).map(([status]) => status)

const connected = (options?: BackendRooms.Options) =>
  Effect.tap(BackendRooms.make(options), (rooms) => rooms.connect("R1"))

const unavailable = Effect.suspend(() => new StoreError({ reason: "Unavailable", cause: "test" }))

describe("Tasks", () => {
  it.scoped(
    "tells every connection of a task's start, progress and end, in order, and the streams stay open (S135)",
    () =>
      Effect.gen(function* () {
        const rooms = yield* connected()
        yield* rooms.connect("R2")
        const work = Effect.gen(function* () {
          for (const step of [0.25, 0.5, 0.75]) {
            yield* Effect.sleep("1 second")
            yield* report(step, `at ${step}`)
          }
        })
        const task = yield* rooms.tasks.run("build", work)
        yield* TestClock.adjust("3 seconds")
        const state = yield* task.ended
        yield* settled
        for (const token of ["R1", "R2"]) {
          assert.deepEqual(told(rooms, token), [
            ["running", 0],
            ["running", 0.25, "at 0.25"],
            ["running", 0.5, "at 0.5"],
            ["running", 0.75, "at 0.75"],
            ["completed", 1, "at 0.75"]
          ])
        }
        const last = rooms.told("R1", "task").at(-1)?.data
        assert.deepEqual({ ...last, cursor: undefined }, { ...state, cursor: undefined })
        assert.equal(state.name, "build")
        assert.isTrue(rooms.gateway.calls().every(({ close }) => !close))
      })
  )

  for (const [what, describe, message] of [
    ["nothing", undefined, "something went wrong"],
    ["its message", ({ message }: Refused) => message, "no disk"],
    ["a text of many lines", () => "no disk\r\nmore", "no disk"],
    ["nothing, as it dies", () => JSON.parse("{"), "something went wrong"]
  ] as const) {
    it.scoped(`tells of a failure of which its describe makes ${what} one line, and no stack (S135)`, () =>
      Effect.gen(function* () {
        const rooms = yield* connected()
        const failing = Effect.fail(new Refused({ message: "no disk\n    at secret.ts:1" }))
        const task = yield* rooms.tasks.run(describe === undefined ? "build" : { name: "build", describe }, failing)
        assert.equal((yield* task.ended).message, message)
        yield* settled
        assert.deepEqual(told(rooms), [
          ["running", 0],
          ["failed", 0, message]
        ])
      })
    )
  }

  for (const [what, work] of [
    ["dies", Effect.die(new Error("s3cret"))],
    ["throws", Effect.sync((): void => JSON.parse("{"))]
  ] as const) {
    it.scoped(`tells of work that ${what} that it failed, and its cause to the log alone (S135)`, () =>
      Effect.gen(function* () {
        const rooms = yield* connected()
        const log = yield* CapturedLog.CapturedLog
        const task = yield* rooms.tasks.run("build", work)
        yield* task.ended
        yield* settled
        assert.deepEqual(told(rooms).at(-1), ["failed", 0, "something went wrong"])
        assert.isTrue(log.some(({ text }) => text.includes("task build failed")))
      }).pipe(Effect.provide(CapturedLog.layer))
    )
  }

  it.scoped("tells of work that interrupts itself that it was cancelled", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const task = yield* rooms.tasks.run("build", Effect.interrupt)
      assert.equal((yield* task.ended).status, "cancelled")
      yield* settled
      assert.deepEqual(statuses(rooms), ["running", "cancelled"])
    })
  )

  it.scoped("tells exactly one end when a task completes, fails and is cancelled at the same time (S136)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const exit = yield* Deferred.make<void, string>()
      const task = yield* rooms.tasks.run("build", Deferred.await(exit))
      yield* settled
      yield* Effect.all(
        [
          rooms.tasks.cancel(task.id),
          rooms.tasks.cancel(task.id),
          Deferred.succeed(exit, undefined),
          Deferred.fail(exit, "broken"),
          rooms.shutdown.begin
        ],
        { concurrency: "unbounded" }
      )
      yield* settled
      assert.lengthOf(told(rooms), 2)
      const { status } = yield* task.ended
      assert.equal(statuses(rooms)[1], status)
      assert.equal((yield* rooms.tasks.status(task.id)).status, status)
      assert.isFalse(yield* rooms.tasks.cancel(task.id), "it had ended")
    })
  )

  it.scoped("makes few events of 1,000 progress calls in a second, the last value among them (S136)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const work = Effect.forEach(
        Array.from({ length: 1000 }, (_, index) => index + 1),
        (step) => Effect.zipRight(step % 20 === 0 ? Effect.sleep("20 millis") : Effect.void, report(step / 2000)),
        { discard: true }
      )
      yield* rooms.tasks.run("build", Effect.zipRight(work, Effect.never))
      yield* Effect.forEach(Array.from({ length: 20 }), () => TestClock.adjust("50 millis"), { discard: true })
      yield* TestClock.adjust("250 millis")
      yield* settled
      const running = told(rooms)
      assert.isAtMost(running.length, 6)
      assert.deepEqual(running.at(-1), ["running", 0.5])
    })
  )

  it.scoped("never tells progress that goes back, leaves 0 to 1, or is no number, but keeps its message (S136)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const steps = [
        [0.5, "half"],
        [0.25, "less"],
        [Number.NaN, "none"],
        [-1, "minus"],
        [7, "more\nat secret.ts"]
      ] as const
      const work = Effect.forEach(steps, ([step, message]) =>
        Effect.zipRight(report(step, message), Effect.sleep("1 second"))
      )
      yield* rooms.tasks.run("build", Effect.zipRight(work, Effect.never))
      for (const _ of steps) yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(told(rooms).slice(1), [
        ["running", 0.5, "half"],
        ["running", 0.5, "less"],
        ["running", 0.5, "none"],
        ["running", 0.5, "minus"],
        ["running", 1, "more"]
      ])
    })
  )

  it.scoped("tells no progress that was waiting for its moment when the task ended (S136)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const task = yield* rooms.tasks.run("build", Effect.zipRight(report(0.5), Effect.fail("broken")))
      yield* task.ended
      yield* TestClock.adjust("1 second")
      yield* settled
      assert.deepEqual(told(rooms), [
        ["running", 0],
        ["failed", 0.5, "something went wrong"]
      ])
    })
  )

  it.scoped("tells a task for one request id to nobody else, in snapshots neither (S135, S137)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      yield* rooms.connect("R2", "before")
      const task = yield* rooms.tasks.run({ name: "build", to: "R1" }, Effect.never)
      yield* settled
      yield* rooms.connect("R1", "T1")
      yield* rooms.connect("R2", "T2")
      yield* rooms.tasks.cancel(task.id)
      yield* rooms.connect("R2", "T3")
      yield* settled
      assert.deepEqual(statuses(rooms), ["running"])
      assert.deepEqual(statuses(rooms, "T1"), ["cancelled"])
      for (const token of ["before", "T2", "T3"]) assert.deepEqual(statuses(rooms, token), [])
      const tasksOf = (token: string) => rooms.told(token, "snapshot")[0]?.data["tasks"]
      assert.deepEqual(tasksOf("T2"), [])
      assert.deepEqual(tasksOf("T3"), [])
      assert.isArray(tasksOf("T1"))
      assert.lengthOf(Object.values(tasksOf("T1") ?? {}), 1)
    })
  )

  it.scoped("holds nobody who reports progress or begins a task when a connection hangs (S129)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      yield* rooms.connect("hung")
      rooms.gateway.fate("hung", TestGateway.hangs)
      const task = yield* rooms.tasks.run("build", report(0.5))
      yield* task.ended
      yield* settled
      assert.deepEqual(statuses(rooms), ["running", "completed"])
    })
  )

  it.scoped("cancels a task by its id: its work is interrupted and its end told before the cancel is answered", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      let isCleanedUp = false
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (isCleanedUp = true)))
      const task = yield* rooms.tasks.run("build", work)
      yield* settled
      assert.isTrue(yield* rooms.tasks.cancel(task.id))
      assert.isTrue(isCleanedUp)
      assert.equal((yield* rooms.tasks.status(task.id)).status, "cancelled")
      yield* settled
      assert.deepEqual(statuses(rooms), ["running", "cancelled"])
    })
  )

  it.scoped("cancels a task that has only just begun", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const task = yield* rooms.tasks.run("build", Effect.never)
      assert.isTrue(yield* rooms.tasks.cancel(task.id))
      yield* settled
      assert.deepEqual(statuses(rooms), ["running", "cancelled"])
    })
  )

  it.scoped("tells the cancel of work that cannot be interrupted after a second, and its own end no more", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      const released = yield* Deferred.make<void>()
      const task = yield* rooms.tasks.run("build", Effect.uninterruptible(Deferred.await(released)))
      yield* settled
      const cancel = yield* Effect.fork(rooms.tasks.cancel(task.id))
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* Fiber.join(cancel))
      yield* Deferred.succeed(released, undefined)
      yield* settled
      assert.deepEqual(statuses(rooms), ["running", "cancelled"])
    })
  )

  it.scoped("has the state of a task while it runs and after its end, and knows no other id", () =>
    Effect.gen(function* () {
      const { tasks } = yield* connected()
      const task = yield* tasks.run("build", Effect.zipRight(report(0.5, "half"), Effect.never))
      yield* settled
      assert.deepInclude(yield* tasks.status(task.id), { status: "running", progress: 0.5, message: "half" })
      yield* tasks.cancel(task.id)
      assert.deepInclude(yield* tasks.status(task.id), { status: "cancelled", progress: 0.5 })
      assert.deepEqual(tasks.running(), [])
      assert.equal((yield* Effect.flip(tasks.status("unknown")))._tag, "TaskNotFound")
      assert.equal((yield* Effect.flip(tasks.cancel("unknown")))._tag, "TaskNotFound")
    })
  )

  it.scoped("refuses a name that is empty, too long or has controls, and more than 100 tasks at once", () =>
    Effect.gen(function* () {
      const { tasks } = yield* BackendRooms.make()
      for (const name of ["", "x".repeat(129), "a\nb"]) {
        assert.equal((yield* Effect.flip(tasks.run(name, Effect.void)))._tag, "InvalidRequest")
      }
      const exit = yield* Deferred.make<void>()
      const many = Array.from({ length: 100 })
      yield* Effect.forEach(many, () => tasks.run("build", Deferred.await(exit)), { concurrency: 10 })
      assert.equal((yield* Effect.flip(tasks.run("one more", Effect.void)))._tag, "Overloaded")
      yield* Deferred.succeed(exit, undefined)
      yield* tasks.idle
    })
  )

  it.scoped("begins no task whose start the journal does not take, and tells nobody of it", () =>
    Effect.gen(function* () {
      const { control, service } = yield* FaultyRetained.make
      const rooms = yield* connected({ store: service })
      control.fault = unavailable
      let hasRun = false
      const work = Effect.sync(() => (hasRun = true))
      assert.equal((yield* Effect.flip(rooms.tasks.run("build", work)))._tag, "StoreError")
      control.fault = Effect.die("broken")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(rooms.tasks.run("build", work))))
      control.fault = Effect.never
      const hanging = yield* Effect.fork(Effect.flip(rooms.tasks.run("build", work)))
      const leaving = yield* Effect.fork(rooms.tasks.run("build", work))
      yield* settled
      const left = yield* Effect.fork(Fiber.interrupt(leaving))
      yield* TestClock.adjust("5 seconds")
      yield* TestClock.adjust("1 second")
      assert.equal((yield* Fiber.join(hanging))._tag, "StoreError")
      yield* Fiber.join(left)
      control.fault = Effect.void
      yield* settled
      assert.isFalse(hasRun)
      assert.deepEqual(told(rooms), [])
      yield* rooms.tasks.idle
    })
  )

  for (const [what, fault] of [
    ["refuses", unavailable],
    ["dies", Effect.die("broken")],
    ["does not answer", Effect.never],
    ["does not answer and cannot be interrupted", Effect.uninterruptible(Effect.never)]
  ] as const) {
    it.scoped(`tells a task's end, and a cancel, also when the journal ${what}`, () =>
      Effect.gen(function* () {
        const { control, service } = yield* FaultyRetained.make
        const log = yield* CapturedLog.CapturedLog
        const rooms = yield* connected({ store: service })
        const exit = yield* Deferred.make<void>()
        yield* rooms.tasks.run("first", Deferred.await(exit))
        const second = yield* rooms.tasks.run("second", Effect.never)
        yield* settled
        control.fault = fault
        yield* Deferred.succeed(exit, undefined)
        const cancel = yield* Effect.fork(rooms.tasks.cancel(second.id))
        yield* TestClock.adjust("1 second")
        yield* TestClock.adjust("1 second")
        assert.isTrue(yield* Fiber.join(cancel))
        yield* rooms.tasks.idle
        yield* settled
        assert.sameMembers(statuses(rooms), ["running", "running", "completed", "cancelled"])
        const warnings = log.filter(({ level, text }) => level === "WARN" && text.includes("is not in the journal"))
        assert.lengthOf(warnings, 2)
      }).pipe(Effect.provide(CapturedLog.layer))
    )

    it.scoped(`fails a task as soon as its lease is over, when the journal ${what}: its work is interrupted`, () =>
      Effect.gen(function* () {
        const { control, service } = yield* FaultyRetained.make
        const rooms = yield* connected({ store: service })
        let isInterrupted = false
        const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (isInterrupted = true)))
        const task = yield* rooms.tasks.run("build", work)
        yield* TestClock.adjust("20 minutes")
        yield* TestClock.adjust("20 minutes")
        assert.equal((yield* rooms.tasks.status(task.id)).status, "running", "it is renewed")
        control.fault = fault
        yield* TestClock.adjust("19 minutes")
        assert.equal((yield* rooms.tasks.status(task.id)).status, "running")
        yield* TestClock.adjust("11 minutes")
        yield* TestClock.adjust("3 seconds")
        yield* settled
        assert.deepEqual(told(rooms), [
          ["running", 0],
          ["failed", 0, "its lease was lost"]
        ])
        assert.isTrue(isInterrupted)
        yield* rooms.tasks.idle
      })
    )
  }

  it.scoped("keeps a task whose journal heals in time", () =>
    Effect.gen(function* () {
      const { control, service } = yield* FaultyRetained.make
      const rooms = yield* connected({ store: service })
      const task = yield* rooms.tasks.run("build", Effect.never)
      control.fault = unavailable
      yield* TestClock.adjust("25 minutes")
      control.fault = Effect.void
      yield* TestClock.adjust("2 hours")
      assert.equal((yield* rooms.tasks.status(task.id)).status, "running")
    })
  )

  it.scoped("refuses new tasks from the beginning of the stop, and waits for those that run (S138)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      yield* rooms.tasks.run("build", Effect.sleep("5 seconds"))
      const cancelled = yield* rooms.tasks.run("other", Effect.never)
      const stop = yield* Effect.fork(rooms.shutdown.begin)
      yield* settled
      assert.equal((yield* Effect.flip(rooms.tasks.run("late", Effect.void)))._tag, "ShuttingDown")
      yield* rooms.tasks.cancel(cancelled.id)
      yield* TestClock.adjust("4999 millis")
      assert.isNull(stop.unsafePoll())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(stop)
      assert.deepEqual(statuses(rooms), ["running", "running", "cancelled", "completed"])
    })
  )

  it.scoped("cancels at the deadline what still runs, and the connected are told before the stop goes on (S138)", () =>
    Effect.gen(function* () {
      const rooms = yield* connected()
      yield* rooms.tasks.run("build", Effect.never)
      yield* rooms.tasks.run("stubborn", Effect.uninterruptible(Effect.never))
      const stop = yield* Effect.fork(rooms.shutdown.begin)
      yield* TestClock.adjust("9999 millis")
      assert.deepEqual(statuses(rooms), ["running", "running"])
      yield* TestClock.adjust("1 millis")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(stop)
      assert.deepEqual(statuses(rooms), ["running", "running", "cancelled", "cancelled"])
    })
  )

  it.scoped("does not begin a task whose journal entry was still on its way when the stop began (S138)", () =>
    Effect.gen(function* () {
      const { control, service } = yield* FaultyRetained.make
      const rooms = yield* connected({ store: service })
      const released = yield* Deferred.make<void>()
      control.fault = Deferred.await(released)
      let hasRun = false
      const late = yield* Effect.fork(
        Effect.flip(
          rooms.tasks.run(
            "late",
            Effect.sync(() => (hasRun = true))
          )
        )
      )
      yield* settled
      const stop = yield* Effect.fork(rooms.shutdown.begin)
      yield* settled
      assert.isNull(stop.unsafePoll(), "it waits for the one that begins")
      yield* Deferred.succeed(released, undefined)
      assert.equal((yield* Fiber.join(late))._tag, "ShuttingDown")
      yield* Fiber.join(stop)
      yield* settled
      assert.isFalse(hasRun)
      assert.deepEqual(told(rooms), [])
      assert.deepEqual(yield* service.all, [], "and the next start hears nothing of it")
    })
  )
})
