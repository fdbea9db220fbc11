import * as assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, it } from "@effect/vitest"
import { Chunk, Effect, Stream, TestClock } from "effect"
import {
  assertNoChildren,
  isAlive,
  node,
  outputOf,
  reading,
  said,
  sh,
  stderr,
  stdout,
  temporaryFolder,
  turns,
  until
} from "./Children.ts"

afterEach(assertNoChildren)

describe("the output of a program", () => {
  it.scopedLive("has the lines of both outputs, each in its order", () =>
    Effect.gen(function* () {
      const events = yield* Effect.flatMap(sh("echo a; echo 1 >&2; echo b; printf 2 >&2; printf c"), outputOf)
      assert.deepEqual(
        events.filter(({ name }) => name === "stdout"),
        ["a", "b", "c"].map(stdout)
      )
      assert.deepEqual(
        events.filter(({ name }) => name === "stderr"),
        ["1", "2"].map(stderr)
      )
    })
  )

  it.scopedLive("has events of its own with JSON, and every other line raw", () =>
    Effect.gen(function* () {
      const script = `echo '{"name":"token","data":{"a":1}}'; echo oops; echo '{"name":"sluice.end","data":1}'`
      assert.deepEqual(yield* Effect.flatMap(sh(script, { format: "json" }), outputOf), [
        { name: "token", data: `{"a":1}` },
        stdout("oops"),
        stdout(`{"name":"sluice.end","data":1}`)
      ])
    })
  )

  it.scopedLive("has characters whole that came in pieces", () =>
    Effect.gen(function* () {
      const script = `
        const { writeSync } = require("node:fs")
        const bytes = Buffer.from("é€😀")
        let at = 0
        console.error("up")
        process.stdin.on("data", () => { writeSync(1, bytes.subarray(at, ++at)); console.error("written") })`
      const child = yield* node(script)
      const { next, rest } = yield* reading(child)
      yield* next
      for (let byte = 0; byte < 9; byte++) {
        yield* child.send(said("next"))
        yield* next
      }
      yield* child.stop
      assert.deepEqual([...(yield* rest)], [stdout("é€😀")])
    })
  )

  it.scopedLive("is whole when it is read after the exit", () =>
    Effect.gen(function* () {
      const child = yield* sh("i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done; echo end >&2")
      yield* child.exit ?? Effect.void
      yield* turns(20)
      const events = yield* outputOf(child)
      assert.equal(events.length, 2001)
      assert.deepEqual(events.filter(({ name }) => name === "stdout").at(-1), stdout("1999"))
    })
  )

  it.scopedLive("comes in chunks of what was there, at most 1,000 events each", () =>
    Effect.gen(function* () {
      const child = yield* node(`require("node:fs").writeSync(1, "\\n".repeat(5000))`)
      yield* child.exit ?? Effect.void
      yield* turns(20)
      const sizes = yield* Stream.runCollect(Stream.map(Stream.chunks(child.output), Chunk.size))
      assert.deepEqual([...sizes], [1000, 1000, 1000, 1000, 1000])
    })
  )

  it.scopedLive("ends when the program has exited, not when it closes its outputs", () =>
    Effect.gen(function* () {
      const marker = join(yield* temporaryFolder, "closed")
      const child = yield* sh(`exec >&- 2>&-; : > ${marker}; read line; exit 3`)
      const { ended, hasEnded } = yield* reading(child)
      yield* until(() => existsSync(marker))
      yield* turns(200)
      assert.equal(yield* hasEnded, false)
      yield* child.send(said("go"))
      yield* ended
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: 3, signal: null })
    })
  )
})

describe("what a program left behind with its outputs", () => {
  it.scoped("has 5 seconds from the exit, then it is killed and the output ends", () =>
    Effect.gen(function* () {
      const child = yield* sh("sleep 1000 & echo $!")
      const { ended, hasEnded, next } = yield* reading(child)
      const left = Number(yield* next)
      yield* child.exit ?? Effect.void
      yield* turns(20)
      yield* TestClock.adjust("4999 millis")
      yield* turns(200)
      assert.ok(isAlive(left))
      assert.equal(yield* hasEnded, false)
      yield* TestClock.adjust("1 millis")
      yield* ended
      yield* until(() => !isAlive(left))
    })
  )

  it.scoped("is heard within its 5 seconds", () =>
    Effect.gen(function* () {
      const child = yield* sh(
        "(trap 'echo late; exit' USR1; sh -c 'echo $PPID'; while :; do sleep 0.01; done) & exit 0"
      )
      const { next, rest } = yield* reading(child)
      const left = Number(yield* next)
      yield* child.exit ?? Effect.void
      yield* turns(20)
      yield* TestClock.adjust("4 seconds")
      process.kill(left, "SIGUSR1")
      assert.deepEqual([...(yield* rest)], [stdout("late")])
    })
  )

  it.scoped("takes nothing from what was written, though the reader comes much later", () =>
    Effect.gen(function* () {
      const child = yield* node(`require("node:fs").writeSync(1, "x".repeat(99_999) + "\\n")`)
      yield* child.exit ?? Effect.void
      yield* turns(20)
      for (let minute = 0; minute < 3; minute++) {
        yield* TestClock.adjust("1 minute")
        yield* turns(20)
      }
      assert.deepEqual(yield* outputOf(child), [stdout("x".repeat(99_999))])
    })
  )

  for (const [says, work] of [
    ["is silent", "exec sleep 1000"],
    ["never stops to write", "exec yes $(printf %01000d 0)"]
  ] as const) {
    it.scoped(`is cut off when it has left the group and ${says}`, () =>
      Effect.gen(function* () {
        const child = yield* sh(`setsid sh -c 'echo $$; ${work}' & exit 0`)
        const { ended, hasEnded, next } = yield* reading(child)
        const left = Number(yield* next)
        yield* child.exit ?? Effect.void
        yield* Effect.ensuring(
          Effect.gen(function* () {
            yield* TestClock.adjust("5 seconds")
            yield* turns(20)
            assert.equal(yield* hasEnded, false)
            yield* Effect.repeat(Effect.zipRight(turns(20), TestClock.adjust("1 second")), {
              until: () => hasEnded
            })
            yield* ended
          }),
          Effect.sync(() => isAlive(left) && process.kill(left, "SIGKILL"))
        )
        yield* until(() => !isAlive(left))
      })
    )
  }
})
