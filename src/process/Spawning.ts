import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { statSync } from "node:fs"
import { Deferred, Effect, Either, Exit, FiberId, type Scope } from "effect"
import { ChildProcessNotStarted } from "./ChildProcessError.ts"
import * as InputPipe from "./InputPipe.ts"
import type { Format } from "./OutputLines.ts"
import * as OutputPipes from "./OutputPipes.ts"
import type { ExitStatus } from "./Process.ts"
import * as ProcessGroup from "./ProcessGroup.ts"

export interface Program {
  /** A path, or a name that is looked for in PATH. No shell reads it. */
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The directory it starts in; ours when absent. */
  readonly cwd?: string
  /** Its whole environment, without what is undefined; ours when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly format: Format
}

/** A program that leads a process group of its own, and its three pipes. */
export interface Spawned {
  readonly input: InputPipe.InputPipe
  readonly output: OutputPipes.OutputPipes
  readonly identity: string | undefined
  readonly hasExited: Effect.Effect<boolean>
  readonly exited: Effect.Effect<ExitStatus>
  /** To the whole group: also to what its leader left behind. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void, ProcessGroup.SignalError>
}

const isDirectory = (path: string): boolean =>
  Either.getOrElse(
    Either.try(() => statSync(path).isDirectory()),
    () => false
  )

/** For the system a program and a directory that are not there are the same ENOENT. */
const problem = ({ cwd }: Program, error: unknown): string => {
  if (cwd !== undefined && !isDirectory(cwd)) return `there is no directory ${cwd}`
  if (!(error instanceof Error)) return String(error)
  const code = "code" in error ? error.code : undefined
  if (code === "ENOENT") return "there is no such program (ENOENT)"
  if (code === "EACCES") return "it may not be run, or its directory not be entered (EACCES)"
  return error.message.replaceAll(/\s+/g, " ")
}

const notStarted = (program: Program, error: unknown) =>
  new ChildProcessNotStarted({ command: program.command, problem: problem(program, error) })

/** In one turn with the start of the program, since its events come in the next: an error that nobody hears ends the server. */
const start = (program: Program) => {
  const { args, command, cwd, env = process.env, format } = program
  const mark = randomUUID()
  const marked = { ...env, [ProcessGroup.variable]: mark }
  const child = spawn(command, args, { cwd, env: marked, detached: true, stdio: "pipe" })
  const failed = Deferred.unsafeMake<never, ChildProcessNotStarted>(FiberId.none)
  const exit = Deferred.unsafeMake<ExitStatus>(FiberId.none)
  const closed = Deferred.unsafeMake<void>(FiberId.none)
  child.on("error", (error) => Deferred.unsafeDone(failed, Exit.fail(notStarted(program, error))))
  child.once("exit", (code, signal) => Deferred.unsafeDone(exit, Exit.succeed({ code, signal })))
  child.once("close", () => Deferred.unsafeDone(closed, Exit.void))
  // Then it may have no pipes, whatever their types say: the system had no descriptor left.
  if (child.pid === undefined) return { failed }
  const output = OutputPipes.make(child.stdout, child.stderr, format)
  return { child, mark, pid: child.pid, exit, closed, input: InputPipe.make(child.stdin), output }
}

const launch = Effect.fnUntraced(function* (program: Program) {
  const started = yield* Effect.try({ try: () => start(program), catch: (error) => notStarted(program, error) })
  if ("failed" in started) return yield* Deferred.await(started.failed)
  const { child, closed, exit, input, mark, output, pid } = started
  const hasExited = Deferred.isDone(exit)
  const identity = yield* ProcessGroup.identify(pid)
  // The system gives a number anew only when its whole group is gone: if another process has it, there is no group.
  const isGiven = Effect.map(ProcessGroup.identify(pid), (now) => now !== undefined && now !== identity)
  const isGone = Effect.if(hasExited, { onTrue: () => isGiven, onFalse: () => Effect.succeed(false) })
  const signal: Spawned["signal"] = (name) =>
    Effect.if(isGone, {
      onTrue: () => new ProcessGroup.ProcessGroupGone({ pid }),
      onFalse: () => ProcessGroup.signal(pid, name)
    })
  const end = signal("SIGKILL").pipe(
    Effect.ensuring(
      Effect.sync(() => {
        input.destroy()
        output.destroy()
      })
    ),
    Effect.catchTag("ProcessGroupGone", () => Effect.void),
    Effect.zipRight(Deferred.await(closed)),
    // It is left to itself: it may never end, and the server must.
    Effect.catchTag("SignalNotPermitted", () => Effect.sync(() => child.unref()))
  )
  const group = identity === undefined ? undefined : `${identity}:${mark}`
  const spawned: Spawned = { input, output, identity: group, hasExited, exited: Deferred.await(exit), signal }
  return { spawned, end }
})

/**
 * Starts it. Closing the scope sends SIGKILL to its whole group, drops what the pipes hold, and is done when the program
 * was reaped.
 */
export const make = (program: Program): Effect.Effect<Spawned, ChildProcessNotStarted, Scope.Scope> =>
  // Whether it runs is known at once, and nothing interrupts: there is never a process without the scope that ends it.
  Effect.map(
    Effect.acquireRelease(launch(program), ({ end }) => Effect.uninterruptible(end)),
    ({ spawned }) => spawned
  )
