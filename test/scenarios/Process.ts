import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { constants } from "node:os"
import { fileURLToPath } from "node:url"
import { Deferred, Effect, FiberId } from "effect"

/** What a shell says in `$?`: the exit code, or 128 and the number of the signal that ended it. */
export type Status = number

/** A real process, killed without mercy when its scope closes. */
export interface Process {
  readonly pid: number
  /** For what a test pipes through by itself. */
  readonly child: ChildProcessWithoutNullStreams
  /** The last that it said, both outputs together. */
  readonly said: () => string
  /** The first match in what it says; dies when the process ends without. */
  readonly says: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Status>
}

/** Characters of output kept: a failed test shows its end. */
const kept = 20_000

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url))

// A run that is broken off closes no scope.
const children = new Set<ChildProcessWithoutNullStreams>()
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

export interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** A standard output that the test reads by itself, since it may be large. */
  readonly readsOutput?: boolean
}

/** The settings of whoever runs the tests must not be those of the process under test. */
const environment = (own: Readonly<Record<string, string>> = {}) => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SLUICE_|CALLBACK_|VITEST|NODE_ENV$|PORT$|HOST$)/.test(name))
  ),
  ...own
})

const launch = (args: ReadonlyArray<string>, { cwd, env, readsOutput }: Options): Process => {
  const child = spawn(process.execPath, [command, ...args], { cwd, env: environment(env), stdio: "pipe" })
  children.add(child)
  const ended = Deferred.unsafeMake<Status>(FiberId.none)
  const attempts = new Set<() => void>()
  let said = ""
  let isOver = false

  const attemptAll = () => {
    for (const attempt of attempts) attempt()
  }
  const hear = (text: string) => {
    said = (said + text).slice(-kept)
    attemptAll()
  }
  for (const output of readsOutput === true ? [child.stderr] : [child.stdout, child.stderr]) {
    output.setEncoding("utf8").on("data", hear)
  }
  child.stdin.on("error", () => {}) // its reader was killed
  child.on("error", (error) => hear(error.message))
  child.once("exit", (code, signal) => {
    Deferred.unsafeDone(ended, Effect.succeed(code ?? (signal === null ? 0 : 128 + constants.signals[signal])))
  })
  child.once("close", () => {
    isOver = true
    children.delete(child)
    attemptAll()
  })

  return {
    pid: child.pid ?? 0,
    child,
    said: () => said,
    says: (pattern) =>
      Effect.async((resume) => {
        const attempt = () => {
          const match = pattern.exec(said)
          if (match === null && !isOver) return
          attempts.delete(attempt)
          resume(match === null ? Effect.dieMessage(`it ended without ${pattern}:\n${said}`) : Effect.succeed(match))
        }
        attempts.add(attempt)
        attempt()
        return Effect.sync(() => attempts.delete(attempt))
      }),
    signal: (signal) => Effect.sync(() => child.kill(signal)),
    ended: Deferred.await(ended)
  }
}

/** `sluice ARGS`, as it was built. */
export const make = (args: ReadonlyArray<string>, options: Options) =>
  Effect.acquireRelease(
    Effect.sync(() => launch(args, options)),
    (process) => Effect.zipRight(process.signal("SIGKILL"), process.ended)
  )
