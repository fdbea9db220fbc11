import * as assert from "node:assert/strict"
import { afterEach, describe, it } from "@effect/vitest"
import { Effect, Either, Fiber } from "effect"
import { ProcessGroupGone } from "../../src/process/ProcessGroup.ts"
import { assertNoChildren, isAlive, node, pidOf, reading, said, sh, turns, until } from "./Children.ts"

afterEach(assertNoChildren)

/** Counts interrupts and lives on; says how many there were when it gets a line. */
const patient = `
  let count = 0
  process.on("SIGINT", () => { console.log("interrupted " + ++count) })
  process.stdin.on("data", () => console.log("alive"))
  console.log("up")`

describe("an interrupt", () => {
  it.scopedLive("breaks off what the process does, and the process lives on; so does the second", () =>
    Effect.gen(function* () {
      const child = yield* node(patient)
      const { next } = yield* reading(child)
      yield* next
      for (const count of [1, 2]) {
        yield* child.interrupt
        assert.equal(yield* next, `interrupted ${count}`)
      }
      yield* child.send(said("?"))
      assert.equal(yield* next, "alive")
    })
  )

  it.scopedLive("may come a hundred times at once", () =>
    Effect.gen(function* () {
      const child = yield* node(patient)
      const { next } = yield* reading(child)
      yield* next
      yield* Effect.all(
        Array.from({ length: 100 }, () => child.interrupt),
        { concurrency: "unbounded" }
      )
      // The system makes one of those that come before the process has seen the first.
      assert.equal(yield* next, "interrupted 1")
      yield* child.send(said("?"))
      yield* Effect.repeat(next, { until: (line) => line === "alive" })
    })
  )

  it.scopedLive("ends a process that does not know it: its exit tells the signal", () =>
    Effect.gen(function* () {
      const child = yield* sh("echo up; exec sleep 1000")
      const { ended, next } = yield* reading(child)
      yield* next
      // It may exit between them: each is sent, or says that there is nobody.
      const sent = yield* Effect.all(
        Array.from({ length: 100 }, () => Effect.zipLeft(Effect.either(child.interrupt), turns(1))),
        { concurrency: 10 }
      )
      yield* ended
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: null, signal: "SIGINT" })
      assert.deepEqual(sent[0], Either.right(undefined))
      for (const each of sent) {
        if (Either.isLeft(each)) assert.deepEqual(each.left, new ProcessGroupGone({ pid: pidOf(child) }))
      }
    })
  )

  it.scopedLive("reaches what the process has started", () =>
    Effect.gen(function* () {
      const child = yield* node(`
        const { spawn } = require("node:child_process")
        process.on("SIGINT", () => {})
        spawn("sleep", ["1000"]).on("exit", (code, signal) => console.log(signal))
        console.log("up")`)
      const { next } = yield* reading(child)
      yield* next
      yield* child.interrupt
      assert.equal(yield* next, "SIGINT")
    })
  )

  it.scopedLive("fails when the process is gone", () =>
    Effect.gen(function* () {
      const child = yield* sh("exit 0")
      yield* child.exit ?? Effect.void
      assert.deepEqual(yield* Effect.flip(child.interrupt), new ProcessGroupGone({ pid: pidOf(child) }))
    })
  )
})

describe("the exit of a process", () => {
  it.scopedLive("tells its code", () =>
    Effect.gen(function* () {
      const child = yield* sh("exit 7")
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: 7, signal: null })
    })
  )
})

describe("a stop", () => {
  it.scopedLive("asks the whole group to end, and is done when the process has", () =>
    Effect.gen(function* () {
      const child = yield* sh("trap 'exit 5' TERM; sleep 1000 & echo $!; wait")
      const { ended, next } = yield* reading(child)
      const grandchild = Number(yield* next)
      yield* child.stop
      assert.ok(!isAlive(pidOf(child)))
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: 5, signal: null })
      yield* ended
      yield* until(() => !isAlive(grandchild))
    })
  )

  it.scopedLive("is done at once when the process has exited, also if it left something behind", () =>
    Effect.gen(function* () {
      const child = yield* sh("sleep 1000 >/dev/null 2>&1 & echo $!")
      const { ended, next } = yield* reading(child)
      const left = Number(yield* next)
      yield* ended
      yield* child.stop
      yield* child.stop
      assert.ok(isAlive(left))
    })
  )

  it.scopedLive("waits for a process that ignores it, for as long as it takes", () =>
    Effect.gen(function* () {
      const child = yield* sh("trap '' TERM; echo up; while :; do sleep 0.01; done")
      yield* (yield* reading(child)).next
      const stopped = yield* Effect.fork(child.stop)
      yield* turns(500)
      assert.equal((yield* Fiber.poll(stopped))._tag, "None")
      assert.ok(isAlive(pidOf(child)))
    })
  )
})
