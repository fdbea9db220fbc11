import { tmpdir } from "node:os"
import { Effect, type Scope } from "effect"
import * as Process from "../scenarios/Process.ts"

export interface Done {
  readonly code: number | null
  /** What it printed for machines, and for people. */
  readonly out: string
  readonly err: string
}

/** `sluice ARGS` with both outputs apart, each kept whole. */
export interface Command extends Process.Process {
  /** Done when it has ended and all that it printed is here. */
  readonly done: Effect.Effect<Done>
  /** Gives its standard input a piece; `undefined` ends it. */
  readonly give: (text: string | undefined) => Effect.Effect<void>
}

export const start = (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Command, never, Scope.Scope> =>
  Effect.map(Process.make(args, { cwd: tmpdir(), env }), (process) => {
    let out = ""
    let err = ""
    let isClosed = false
    process.child.stdout.on("data", (text: string) => (out += text))
    process.child.stderr.on("data", (text: string) => (err += text))
    process.child.once("close", () => (isClosed = true))
    const done = Effect.async<Done>((resume) => {
      const answer = () => resume(Effect.succeed({ code: process.child.exitCode, out, err }))
      if (isClosed) return answer()
      process.child.once("close", answer)
    })
    const give = (text: string | undefined) =>
      Effect.sync(() => void (text === undefined ? process.child.stdin.end() : process.child.stdin.write(text)))
    return { ...process, done, give }
  })

/** Starts it with an input of its own, and waits for its end. */
export const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}, input = "") =>
  Effect.gen(function* () {
    const command = yield* start(args, env)
    yield* command.give(input)
    yield* command.give(undefined)
    return yield* command.done
  }).pipe(Effect.scoped)
