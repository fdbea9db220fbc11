import { type ParseArgsConfig, parseArgs } from "node:util"
import { Effect } from "effect"
import { isSessionId, type SessionId } from "../domain/Session.ts"
import { type CommandError, misused } from "./CommandError.ts"

type Options = NonNullable<ParseArgsConfig["options"]>

type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ readonly args: Array<string>; readonly options: O; readonly allowPositionals: true }>
>

/** Node's message without its advice about arguments that begin with a dash. */
const firstSentence = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/\. To specify .*$/s, "").replace(/\.$/, "")
}

/** Unknown flags, flags without their value and values of flags that take none are refused. */
export const parse = <const O extends Options>(
  args: ReadonlyArray<string>,
  options: O,
  usage: string
): Effect.Effect<Parsed<O>, CommandError> =>
  Effect.try({
    try: () => parseArgs({ args: [...args], options, allowPositionals: true }),
    catch: (error) => misused(firstSentence(error), usage)
  })

/** The one thing that `append` and `tail` are about. */
export const session = (positionals: ReadonlyArray<string>, usage: string): Effect.Effect<SessionId, CommandError> => {
  const [id, more] = positionals
  if (id === undefined) return Effect.fail(misused("SESSION is missing", usage))
  if (more !== undefined) return Effect.fail(misused(`one SESSION only, not also "${more}"`, usage))
  if (isSessionId(id)) return Effect.succeed(id)
  return Effect.fail(misused(`SESSION "${id.slice(0, 200)}" must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -`, usage))
}
