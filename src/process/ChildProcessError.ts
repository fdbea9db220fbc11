import { Data } from "effect"

/** There is no process: `problem` says in a line what is wrong with the program, its directory or the system. */
export class ChildProcessNotStarted extends Data.TaggedError("ChildProcessNotStarted")<{
  readonly command: string
  readonly problem: string
}> {
  override get message(): string {
    return `${this.command} was not started: ${this.problem}`
  }
}

/** The process has closed its standard input, or is gone: no later message reaches it. It may have a part of this one. */
export class StdinClosed extends Data.TaggedError("StdinClosed") {
  override get message(): string {
    return "the process takes no messages: its standard input is closed"
  }
}

/** The data cannot be written as JSON, such as what is nested too deeply. Nothing was sent. */
export class MessageNotJson extends Data.TaggedError("MessageNotJson")<{ readonly problem: string }> {
  override get message(): string {
    return `the message has no JSON text: ${this.problem}`
  }
}
