import * as assert from "node:assert/strict"
import { readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import * as ProcessGroup from "../../src/process/ProcessGroup.ts"
import { assertNoChildren, isAlive, node, pidOf, reading, sh, temporaryFolder, until } from "./Children.ts"

afterEach(assertNoChildren)

/** A process that has ended: nobody has its number now. */
const dead = Effect.scoped(
  Effect.gen(function* () {
    const child = yield* sh("exit 0")
    yield* child.exit ?? Effect.void
    return pidOf(child)
  })
)

describe("a signal", () => {
  it.scopedLive("goes to each process of the group", () =>
    Effect.gen(function* () {
      const child = yield* sh("sleep 1000 & echo $!; wait")
      const { ended, next } = yield* reading(child)
      const grandchild = Number(yield* next)
      yield* ProcessGroup.signal(pidOf(child), "SIGKILL")
      yield* ended
      yield* until(() => !isAlive(grandchild))
    })
  )

  it.live("says when nothing is left of the group", () =>
    Effect.gen(function* () {
      const pid = yield* dead
      const error = yield* Effect.flip(ProcessGroup.signal(pid, "SIGINT"))
      assert.deepEqual(error, new ProcessGroup.ProcessGroupGone({ pid }))
      assert.equal(error.message, `no process is left in the group ${pid}`)
    })
  )

  it.live("never goes to our own group, to all processes, or to what is no process", () =>
    Effect.gen(function* () {
      for (const pid of [0, -0, 1, -1, -2, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        const error = yield* Effect.flip(ProcessGroup.signal(pid, "SIGKILL"))
        assert.equal(error._tag, "ProcessGroupGone", String(pid))
      }
    })
  )

  // Only root can start a process of another user, and has to stop being root to be refused.
  it.scopedLive.runIf(process.getuid?.() === 0)("says when it is not permitted", () =>
    Effect.gen(function* () {
      const child = yield* node("process.setuid(65533); console.log('changed'); setInterval(() => {}, 1000)")
      yield* (yield* reading(child)).next
      const asNobody = Effect.acquireRelease(
        Effect.sync(() => process.seteuid?.(65534)),
        () => Effect.sync(() => process.seteuid?.(0))
      )
      const refused = Effect.flip(ProcessGroup.signal(pidOf(child), "SIGTERM"))
      const error = yield* Effect.scoped(Effect.zipRight(asNobody, refused))
      assert.deepEqual(error, new ProcessGroup.SignalNotPermitted({ pid: pidOf(child), signal: "SIGTERM" }))
    })
  )
})

describe("the identity of a process", () => {
  it.scopedLive("has its number and its start, whatever its name", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const command = join(folder, ") R 1 (2) ")
      symlinkSync(process.execPath, command)
      const child = yield* node("console.log('up'); setInterval(() => {}, 1000)", { command })
      yield* (yield* reading(child)).next
      const stat = readFileSync(`/proc/${pidOf(child)}/stat`, "latin1")
      assert.ok(stat.includes("() R 1 (2) )"), stat)
      const started = stat.replace(/\(.*\)/s, "name").split(" ")[21]
      assert.ok(child.group?.startsWith(`${pidOf(child)}:${started}:`), child.group)
      assert.match(child.group ?? "", /^\d+:\d+:[0-9a-f]{8}:[0-9a-f-]{36}$/)
    })
  )

  it.live("is not there for a process that is not", () =>
    Effect.gen(function* () {
      assert.equal(yield* ProcessGroup.identify(yield* dead), undefined)
    })
  )
})

describe("what an earlier server left running", () => {
  it.scopedLive("is ended with its whole group when it is that same process", () =>
    Effect.gen(function* () {
      const child = yield* sh("sleep 1000 & echo $!; wait")
      const { ended, next } = yield* reading(child)
      const grandchild = Number(yield* next)
      assert.equal(yield* ProcessGroup.endOrphan(child.group ?? ""), true)
      yield* ended
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: null, signal: "SIGKILL" })
      yield* until(() => !isAlive(grandchild))
      assert.equal(yield* ProcessGroup.endOrphan(child.group ?? ""), false)
    })
  )

  it.scopedLive("is ended though its leader is gone, by the mark that all of it has", () =>
    Effect.gen(function* () {
      const child = yield* sh("sleep 1000 >/dev/null 2>&1 & echo $!")
      const { next } = yield* reading(child)
      const grandchild = Number(yield* next)
      yield* child.exit ?? Effect.void
      const [pid, started, boot, mark] = (child.group ?? "").split(":")
      assert.equal(yield* ProcessGroup.endOrphan(`${pid}:${started}:${boot}:another`), false)
      assert.ok(isAlive(grandchild))
      assert.equal(yield* ProcessGroup.endOrphan(`${pid}:${started}:${boot}:${mark}`), true)
      yield* until(() => !isAlive(grandchild))
    })
  )

  it.scopedLive("is left alone when another process has its number, or the system was started anew", () =>
    Effect.gen(function* () {
      const child = yield* sh("echo up; sleep 1000")
      yield* (yield* reading(child)).next
      const [pid, started, boot, mark] = (child.group ?? "").split(":")
      for (const identity of [
        `${pid}:${Number(started) - 1}:${boot}:another`,
        `${pid}:${started}0:${boot}:another`,
        `${pid}:${started}:00000000:${mark}`,
        `${pid}:${started}:${boot}`,
        `${pid}:${started}`,
        `${pid}`,
        `${pid}:`,
        ` ${child.group}`,
        `${child.group} `
      ]) {
        assert.equal(yield* ProcessGroup.endOrphan(identity), false, identity)
      }
      assert.ok(isAlive(pidOf(child)))
    })
  )

  it.effect.prop(
    "is nothing when the identity is none",
    [fc.oneof(fc.string(), fc.constantFrom("0:0:0", "-1:1:1"))],
    ([text]) => Effect.map(ProcessGroup.endOrphan(text), (isEnded) => assert.equal(isEnded, false))
  )
})
