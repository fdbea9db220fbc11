#!/usr/bin/env node
import { readFileSync } from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Effect, Exit, Schema } from "effect"
import { type CommandError, misused } from "./CommandError.ts"
import * as StandardOutput from "./StandardOutput.ts"

const usage = `usage: sluice [serve] [flags]         serve sessions
       sluice run SESSION -- COMMAND  run a command, its output being a session
       sluice append SESSION [flags]  append the lines of standard input
       sluice tail SESSION [flags]    print events as they come
       sluice COMMAND --help          what a command takes
       sluice --version`

/** Its exit code, and what `--help` says of it. */
interface Command {
  readonly run: (args: ReadonlyArray<string>) => Effect.Effect<number, CommandError>
  readonly usage: string
}

/** Loaded when asked for: a client needs no store, and each start is felt. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: () => import("./serve.ts"),
  run: () => import("./run.ts"),
  append: () => import("./append.ts"),
  tail: () => import("./tail.ts")
}

const Package = Schema.parseJson(Schema.Struct({ version: Schema.String }))

const version = Effect.sync(() => readFileSync(new URL("../../package.json", import.meta.url), "utf8")).pipe(
  Effect.flatMap(Schema.decode(Package)),
  Effect.map(({ version }) => version),
  Effect.orDie
)

const print = (text: string): Effect.Effect<number> => Effect.as(Effect.ignore(StandardOutput.write(`${text}\n`)), 0)

const run = (name: string, args: ReadonlyArray<string>): Effect.Effect<number, CommandError> =>
  Effect.gen(function* () {
    if (name === "--version") return yield* Effect.flatMap(version, print)
    if (name === "--help" || name === "-h" || name === "help") return yield* print(usage)
    const load = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (load === undefined) return yield* misused(`there is no command "${name.slice(0, 200)}"`, usage)
    const command = yield* Effect.promise(load)
    // What stands behind `--` is another program's.
    const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args
    return yield* own.includes("--help") || own.includes("-h") ? print(command.usage) : command.run(args)
  })

/** Flags without a command are those of `serve`. */
const words = ([first, ...rest]: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] => {
  if (first === undefined) return ["serve", []]
  const isFlag = first.startsWith("-") && !["--help", "-h", "--version"].includes(first)
  return isFlag ? ["serve", [first, ...rest]] : [first, rest]
}

const [name, args] = words(process.argv.slice(2))

let signalled: number | undefined

/** The first signal interrupts (`runMain` sees to that), the second one ends at once (contract §5). */
const onSignal = (signal: NodeJS.Signals, exitCode: number) =>
  process.on(signal, () => {
    if (signalled !== undefined) process.exit(exitCode)
    signalled = exitCode
  })

onSignal("SIGINT", 130)
onSignal("SIGTERM", 143)

const codeOf = <E, A>(exit: Exit.Exit<E, A>): number => {
  if (Exit.isSuccess(exit)) return typeof exit.value === "number" ? exit.value : 0
  // A signal is the ordinary end of a server; other commands had not done yet.
  if (Cause.isInterruptedOnly(exit.cause)) return name === "serve" || name === "run" ? 0 : (signalled ?? 1)
  process.stderr.write(`sluice: ${Cause.pretty(exit.cause)}\n`)
  return 1
}

NodeRuntime.runMain(
  StandardOutput.guard.pipe(
    Effect.zipRight(run(name, args)),
    Effect.catchTag("CommandError", ({ exitCode, line, usage }) =>
      Effect.as(StandardOutput.complain(`sluice: ${line}${usage === undefined ? "" : `\n${usage}`}`), exitCode)
    )
  ),
  {
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, onExit) => onExit(codeOf(exit))
  }
)
