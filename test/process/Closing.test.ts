import * as assert from "node:assert/strict"
import { existsSync, writeFileSync } from "node:fs"
import { afterEach, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import type { Process } from "../../src/process/Process.ts"
import {
  assertNoChildren,
  held,
  isAlive,
  node,
  pidOf,
  reading,
  said,
  sh,
  text,
  timers,
  turns,
  until
} from "./Children.ts"

afterEach(assertNoChildren)

const lastNumber = "/proc/sys/kernel/ns_last_pid"
const uptime = () => Number.parseFloat(text("/proc/uptime"))
const canChooseNumber = process.getuid?.() === 0 && existsSync(lastNumber)

const inScope = <A, E>(child: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const made = yield* Scope.extend(child, scope)
    return [made, Scope.close(scope, Exit.void)] as const
  })

const first = (child: Process) => Effect.scoped(Effect.flatMap(reading(child), ({ next }) => next))

describe("when its scope closes, a process", () => {
  it.live("ends though it ignores SIGTERM and SIGINT, and is reaped", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("trap '' TERM INT; echo up; while :; do sleep 1000; done"))
      yield* first(child)
      const stopped = yield* Effect.fork(child.stop)
      yield* Effect.zipRight(child.interrupt, turns(20))
      yield* close
      assertNoChildren()
      yield* Fiber.join(stopped)
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: null, signal: "SIGKILL" })
    })
  )

  it.live("ends with all that it has started in its group", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("trap '' TERM; (trap '' TERM; sleep 1000 & echo $!; wait) & wait"))
      const grandchild = Number(yield* first(child))
      yield* close
      yield* until(() => !isAlive(grandchild))
    })
  )

  it.live("takes along what it left behind when it exited long ago", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("sleep 1000 >/dev/null 2>&1 & echo $!"))
      const left = Number(yield* first(child))
      yield* child.exit ?? Effect.void
      yield* turns(20)
      assert.ok(isAlive(left))
      yield* close
      yield* until(() => !isAlive(left))
    })
  )

  // Only root can say which number the next process gets.
  it.scopedLive.runIf(canChooseNumber)("spares another that was given its number since", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("exit 0"))
      yield* Stream.runDrain(child.output)
      // In the hundredth of a second in which both started they could not be told apart.
      const started = uptime()
      yield* until(() => uptime() > started + 0.01)
      const startAnother = Effect.gen(function* () {
        writeFileSync(lastNumber, String(pidOf(child) - 1))
        return yield* sh("exec sleep 1000")
      })
      // Elsewhere on the machine a process may be started between the two.
      const another = yield* Effect.repeat(startAnother, {
        until: (another) => pidOf(another) === pidOf(child),
        times: 100
      })
      assert.equal(pidOf(another), pidOf(child))
      assert.match(String(yield* Effect.flip(child.interrupt)), /ProcessGroupGone/)
      yield* close
      assert.ok(isAlive(pidOf(another)))
      yield* another.interrupt
      assert.deepEqual(yield* another.exit ?? Effect.void, { code: null, signal: "SIGINT" })
    })
  )

  it.live("ends its output, for a reader that waits and for one that comes later", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("echo up; exec sleep 1000"))
      const reader = yield* Effect.fork(Stream.runDrain(child.output))
      yield* turns(20)
      yield* close
      yield* Fiber.join(reader)
      yield* Stream.runDrain(child.output)
    })
  )

  it.live("is over for whoever uses it still", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("exec cat"))
      yield* close
      yield* child.stop
      assert.match(String(yield* Effect.flip(child.interrupt)), /ProcessGroupGone/)
      assert.match(String(yield* Effect.flip(child.send(said("text")))), /StdinClosed/)
    })
  )

  it.live("ends though it writes as fast as it can and nobody reads", () =>
    Effect.gen(function* () {
      const [, close] = yield* inScope(sh("exec yes"))
      yield* turns(100)
      yield* close
      assertNoChildren()
    })
  )

  it.live("has ended when its fiber has, however often that is interrupted", () =>
    Effect.gen(function* () {
      const pid = yield* Deferred.make<number>()
      const using = Effect.gen(function* () {
        const child = yield* sh("trap '' TERM; echo up; while :; do sleep 1000; done")
        yield* first(child)
        yield* Deferred.succeed(pid, pidOf(child))
        return yield* Effect.never
      })
      const fiber = yield* Effect.fork(Effect.scoped(using))
      yield* Deferred.await(pid)
      yield* Effect.repeatN(Effect.zipRight(Fiber.interruptFork(fiber), Effect.yieldNow()), 5)
      yield* Fiber.await(fiber)
      assertNoChildren()
    })
  )

  it.live("ends once, and closing again does nothing", () =>
    Effect.gen(function* () {
      const [child, close] = yield* inScope(sh("exec sleep 1000"))
      yield* Effect.all([close, close, close], { concurrency: "unbounded" })
      yield* close
      assert.deepEqual(yield* child.exit ?? Effect.void, { code: null, signal: "SIGKILL" })
      assertNoChildren()
    })
  )

  it.live("leaves nothing: no descriptor, no handle, no zombie", () =>
    Effect.gen(function* () {
      const once = Effect.gen(function* () {
        const [child, close] = yield* inScope(node("process.stdin.pipe(process.stdout)"))
        const reader = yield* Effect.fork(Stream.runDrain(child.output))
        yield* child.send(said("text"))
        yield* close
        yield* Fiber.join(reader)
        assert.ok(!isAlive(pidOf(child)))
      })
      yield* once
      yield* turns(20)
      const before = held()
      yield* Effect.repeatN(once, 10)
      yield* turns(20)
      assert.deepEqual(held(), before)
    })
  )

  it.live("leaves no fiber that waits for what it left behind", () =>
    Effect.gen(function* () {
      const once = Effect.gen(function* () {
        const [child, close] = yield* inScope(sh("sleep 1000 &"))
        yield* child.exit ?? Effect.void
        yield* turns(5)
        yield* close
      })
      const before = timers()
      yield* Effect.repeatN(once, 50)
      // The test runner has a few of its own.
      assert.ok(timers() < before + 25)
    })
  )
})
