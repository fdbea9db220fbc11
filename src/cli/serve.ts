import { Effect } from "effect"
import { misused } from "./CommandError.ts"
import * as Flags from "./Flags.ts"
import * as Serving from "./Serving.ts"

export const usage = `usage: sluice [serve] [flags]

Serves sessions. Flags decide before the environment; the default is in parentheses.

${Serving.usage}`

export const run = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { positionals, values } = yield* Flags.parse(args, Serving.flags, usage)
    if (positionals[0] !== undefined) return yield* misused(`serve takes no argument "${positionals[0]}"`, usage)
    return yield* Serving.run(values, "demo", Effect.succeed(Effect.void))
  })
