import { Cause, Exit, Option } from "effect"
import type { EndStatus } from "./TaskRun.ts"

const messageOf = (error: unknown): string | undefined => {
  if (error instanceof Error && error.message !== "") return error.message
  return typeof error === "string" ? error : undefined
}

/** What everybody may know of how work ended: of a typed failure its message, of a defect nothing. */
export const of = (exit: Exit.Exit<unknown, unknown>): readonly [EndStatus, string | undefined] => {
  if (Exit.isSuccess(exit)) return ["completed", undefined]
  if (Cause.isInterruptedOnly(exit.cause)) return ["cancelled", undefined]
  const failure = Option.flatMapNullable(Cause.failureOption(exit.cause), messageOf)
  return ["failed", Option.getOrElse(failure, () => "something went wrong")]
}
