import { Data } from "effect"

/** A command cannot do what it was asked for. The operator sees `line`, and `usage` where the words were wrong. */
export class CommandError extends Data.TaggedError("CommandError")<{
  readonly line: string
  /** 1 bad input or a refusal, 2 a store that cannot be opened (contract §5). */
  readonly exitCode: 1 | 2
  readonly usage?: string
}> {}

export const failed = (line: string): CommandError => new CommandError({ line, exitCode: 1 })

export const misused = (line: string, usage: string): CommandError => new CommandError({ line, exitCode: 1, usage })
