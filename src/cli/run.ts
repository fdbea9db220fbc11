import { Effect } from "effect"
import * as CommandSession from "../server/CommandSession.ts"
import { failed, misused } from "./CommandError.ts"
import * as Flags from "./Flags.ts"
import * as Serving from "./Serving.ts"

export const usage = `usage: sluice run SESSION [flags] -- COMMAND [ARGUMENT …]

Serves sessions, and runs a command as the process of one: its output is the session's log, which anyone can watch, leave
and resume; it can be interrupted, stopped and written to, from the page or by the API. When the command ends, so does its
session; the server goes on. Flags are those of serve, and

  --json           lines of output are events in JSON, {"name"?: …, "data": …}; messages are {"id", "data", "from"}

${Serving.usage}`

const options = { ...Serving.flags, json: { type: "boolean", default: false } } as const

const described = ({ code, problem, signal }: CommandSession.Ended): string => {
  if (problem !== undefined) return problem
  return signal === null ? `the command ended with code ${code}` : `the command was ended by ${signal}`
}

export const run = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const end = args.indexOf("--")
    const { positionals, values } = yield* Flags.parse(end < 0 ? args : args.slice(0, end), options, usage)
    const session = yield* Flags.session(positionals, usage)
    const [command, ...rest] = end < 0 ? [] : args.slice(end + 1)
    if (command === undefined) return yield* misused("COMMAND is missing: it stands after --", usage)
    const { json, ...flags } = values
    const program = { command, args: rest, format: json ? "json" : "text" } as const
    const begin = CommandSession.run(session, program).pipe(
      Effect.catchTags({
        InvalidTransition: ({ from }) => Effect.fail(failed(`session ${session} is ${from}: choose another one`)),
        SessionEnded: () => Effect.fail(failed(`session ${session} has ended: choose another one`))
      }),
      Effect.mapError((error) =>
        error._tag === "CommandError" ? error : failed(`the command is not run: ${error._tag}`)
      ),
      Effect.map(({ ended }) =>
        Effect.flatMap(ended, (status) => Serving.say([`${described(status)}; the server goes on`]))
      )
    )
    return yield* Serving.run(flags, session, begin)
  })
