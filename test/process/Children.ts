import * as assert from "node:assert/strict"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber, Queue, Stream } from "effect"
import type { NewEvent } from "../../src/domain/Event.ts"
import * as ChildProcess from "../../src/process/ChildProcess.ts"
import type { Message, Process } from "../../src/process/Process.ts"

type More = Partial<ChildProcess.Options>

/** A shell script as a child process. */
export const sh = (script: string, more: More = {}) =>
  ChildProcess.make({ command: "sh", args: ["-c", script], format: "text", ...more })

/** A script of Node as a child process. */
export const node = (script: string, more: More = {}) =>
  ChildProcess.make({ command: process.execPath, args: ["-e", script], format: "text", ...more })

export const said = (data: unknown): Message => ({ id: "m1", data, from: null })

export const stdout = (data: string): NewEvent => ({ name: "stdout", data })
export const stderr = (data: string): NewEvent => ({ name: "stderr", data })

/** All that a process puts out. */
export const outputOf = (child: Process) => Effect.map(Stream.runCollect(child.output), (events) => [...events])

/** Reads a process as a session does, and gives what comes to the test. */
export const reading = Effect.fnUntraced(function* (child: Process) {
  const events = yield* Queue.unbounded<NewEvent>()
  const reader = yield* Effect.forkScoped(Stream.runForEach(child.output, (event) => Queue.offer(events, event)))
  return {
    next: Effect.map(Queue.take(events), ({ data }) => data),
    rest: Effect.zipRight(Fiber.join(reader), Queue.takeAll(events)),
    ended: Fiber.join(reader),
    hasEnded: Effect.map(Fiber.poll(reader), (exit) => exit._tag === "Some")
  }
})

/** One turn of the event loop, whatever the clock. */
export const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

export const turns = (count: number) => Effect.repeatN(turn, count)

/** Turns until it holds: of what nobody tells us. */
export const until = (holds: () => boolean) => Effect.repeat(Effect.as(turn, undefined), { until: holds })

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

/** It runs: a zombie does not. */
export const isAlive = (pid: number): boolean => {
  const stat = read(`/proc/${pid}/stat`)
  return stat !== undefined && !/^\d+ \(.*\) [ZX] /s.test(stat)
}

export const text = (path: string): string => read(path) ?? ""

export const pidOf = (child: Process): number => Number.parseInt(child.group ?? "", 10)

const children = (): ReadonlyArray<string> =>
  readdirSync("/proc/self/task").flatMap((thread) =>
    text(`/proc/self/task/${thread}/children`)
      .split(" ")
      .filter((pid) => pid !== "")
  )

/** For after each test: neither a process nor a zombie is left. */
export const assertNoChildren = (): void => assert.deepEqual(children(), [])

/** Open files, pipes and sockets of the test, and the handles of its children. */
export const held = () => ({
  descriptors: readdirSync("/proc/self/fd").length,
  handles: process.getActiveResourcesInfo().filter((name) => /^(Pipe|Process)Wrap$/.test(name)).length
})

export const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length

export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "sluice-process-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
