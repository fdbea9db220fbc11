import { Cause, Either, Exit, Option } from "effect"
import type { EndStatus } from "./TaskRun.ts"

const neutral = "something went wrong"

/**
 * What everybody may know of how work ended: of a typed failure what `describe` makes of it, else nothing. Messages of errors have
 * paths, queries and input in them; whoever wrote the task knows which have not.
 */
export const of = <E>(
  exit: Exit.Exit<unknown, E>,
  describe: ((error: E) => string) | undefined
): readonly [EndStatus, string | undefined] => {
  if (Exit.isSuccess(exit)) return ["completed", undefined]
  if (Cause.isInterruptedOnly(exit.cause)) return ["cancelled", undefined]
  const failure = Cause.failureOption(exit.cause)
  if (describe === undefined || Option.isNone(failure)) return ["failed", neutral]
  // Whatever it does, the end is told.
  return [
    "failed",
    Either.getOrElse(
      Either.try(() => describe(failure.value)),
      () => neutral
    )
  ]
}
