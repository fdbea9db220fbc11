import * as assert from "node:assert/strict"
import { closeSync, openSync, readdirSync, realpathSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import * as ChildProcess from "../../src/process/ChildProcess.ts"
import {
  assertNoChildren,
  held,
  isAlive,
  outputOf,
  pidOf,
  reading,
  said,
  sh,
  stdout,
  temporaryFolder,
  until
} from "./Children.ts"

afterEach(assertNoChildren)

type More = Partial<ChildProcess.Options>
const make = (more: More) => ChildProcess.make({ command: "true", args: [], format: "text", ...more })

describe("a program that cannot be started", () => {
  const program = (folder: string): ReadonlyArray<readonly [says: string, options: More, problem: RegExp]> => [
    ["is not there", { command: "/no/such/program" }, /^there is no such program \(ENOENT\)$/],
    ["is not in PATH", { command: "no-such-program" }, /^there is no such program \(ENOENT\)$/],
    ["has no name", { command: "" }, /argument 'file' cannot be empty/],
    ["is no program", { command: join(folder, "file") }, /EACCES/],
    ["is a folder", { command: folder }, /EACCES/],
    ["has no directory to start in", { cwd: join(folder, "none") }, /^there is no directory .*none$/],
    ["has a file for a directory", { cwd: join(folder, "file") }, /^there is no directory .*file$/],
    ["has NUL in an argument", { args: ["a\0b"] }, /null bytes/],
    ["has arguments beyond what the system takes", { args: ["x".repeat(8 * 1024 * 1024)] }, /E2BIG/]
  ]

  it.scopedLive("fails with a line that says what is wrong, and leaves nothing", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "file"), "text")
      for (const [says, options, problem] of program(folder)) {
        const before = held()
        const error = yield* Effect.flip(Effect.scoped(make(options)))
        assert.equal(error._tag, "ChildProcessNotStarted", says)
        assert.match(error.problem, problem, says)
        assert.doesNotMatch(error.message, /\n/)
        yield* until(() => held().descriptors === before.descriptors)
      }
    })
  )
})

describe("a program for which the server has no descriptor left", () => {
  const openAll = (opened: Array<number>) =>
    Effect.ignore(Effect.forever(Effect.try(() => opened.push(openSync("/dev/null", "r")))))

  it.scopedLive("is not started, and the next one is when there are some again", () =>
    Effect.gen(function* () {
      const limit = (most: string) => `prlimit --pid ${process.pid} --nofile=${most}: && echo set`
      const most = Math.max(...readdirSync("/proc/self/fd").map(Number)) + 20
      const limiter = yield* sh(`old=$(ulimit -n); ${limit(String(most))}; read line; ${limit("$old")}`)
      const { next } = yield* reading(limiter)
      assert.equal(yield* next, "set")
      const opened: Array<number> = []
      yield* openAll(opened)
      const error = yield* Effect.flip(make({}))
      for (const descriptor of opened) closeSync(descriptor)
      assert.match(error.message, /^true was not started: .*EMFILE/)
      yield* outputOf(yield* make({}))
      yield* limiter.send(said("enough"))
      assert.equal(yield* next, "set")
    })
  )
})

describe("a program that is started", () => {
  it.scopedLive("gets its arguments as they are, without a shell", () =>
    Effect.gen(function* () {
      const child = yield* make({ command: "printf", args: ["%s\\n", "$HOME", "*", "a b; c", ""] })
      assert.deepEqual(yield* outputOf(child), ["$HOME", "*", "a b; c", ""].map(stdout))
    })
  )

  it.scopedLive("has the directory and the environment it was given", () =>
    Effect.gen(function* () {
      const cwd = realpathSync(yield* temporaryFolder)
      const env = { PATH: process.env["PATH"], A: "1", B: undefined }
      const child = yield* sh('echo "$PWD $A $(printenv B || echo none) $(printenv HOME || echo none)"', { cwd, env })
      assert.deepEqual(yield* outputOf(child), [stdout(`${cwd} 1 none none`)])
    })
  )

  it.scopedLive("is called by the name of its program, without its arguments, which may be secret", () =>
    Effect.gen(function* () {
      assert.equal((yield* make({ command: process.execPath, args: ["-e", "'s3cret'"] })).title, "node")
    })
  )

  it.scopedLive("is told by its identity, which a later server can end it by", () =>
    Effect.gen(function* () {
      const child = yield* sh("sleep 1000")
      assert.match(child.group ?? "", /^\d+:\d+:[0-9a-f]{8}:[0-9a-f-]{36}$/)
      assert.ok(isAlive(pidOf(child)))
    })
  )
})

describe("an interruption while a program is started", () => {
  it.live("leaves no process, whenever it comes", () =>
    Effect.gen(function* () {
      for (let turns = 0; turns < 40; turns++) {
        const fiber = yield* Effect.fork(Effect.scoped(Effect.zipRight(sh("sleep 1000"), Effect.never)))
        for (let turn = 0; turn < turns % 20; turn++) yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
        assertNoChildren()
      }
    })
  )

  it.live("leaves no process when the scope is closed already", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.void)
      yield* Effect.exit(Scope.extend(sh("sleep 1000"), scope))
      assertNoChildren()
    })
  )
})
