import { basename } from "node:path"
import { Effect, type Scope, Stream } from "effect"
import { type ChildProcessNotStarted, MessageNotJson } from "./ChildProcessError.ts"
import * as Leftovers from "./Leftovers.ts"
import type { Message, Process } from "./Process.ts"
import * as Spawning from "./Spawning.ts"

// Node's own `spawn`: of a process that a signal ended, the Command of @effect/platform has the signal only in the words of
// an error, and of one that exited with 0 it leaves the rest of the group alive.

/** `format` is that of both ways: lines of text, or a line of JSON for each event and each message. */
export type Options = Spawning.Program

const line = ({ data, from, id }: Message, format: Options["format"]): string => {
  if (format === "json") return `${JSON.stringify({ id, data, from })}\n`
  return `${typeof data === "string" ? data : JSON.stringify(data)}\n`
}

/**
 * A program as the process of a session: it reads messages from its standard input and writes events to its outputs, which
 * `OutputLines` reads. It leads a process group of its own, which each signal goes to, and which ends with the scope:
 * SIGKILL to all of it, and no child is left when the scope is closed. `send` fails with `StdinClosed` or `MessageNotJson`,
 * `interrupt` (SIGINT) and `stop` (SIGTERM) as `ProcessGroup.signal`; `stop` has no deadline. `output` is read once.
 */
export const make = (options: Options): Effect.Effect<Process, ChildProcessNotStarted, Scope.Scope> =>
  Effect.gen(function* () {
    const spawned = yield* Spawning.make(options)
    const { exited, hasExited, identity, input, output, signal } = spawned
    yield* Effect.forkScoped(Leftovers.end(spawned))

    const send = (message: Message) =>
      Effect.try({
        try: () => line(message, options.format),
        catch: (error) => new MessageNotJson({ problem: error instanceof Error ? error.message : String(error) })
      }).pipe(Effect.flatMap(input.write))

    const terminate = Effect.catchTag(signal("SIGTERM"), "ProcessGroupGone", () => Effect.void)

    return {
      output: Stream.concat(output.events, Stream.drain(Stream.fromEffect(exited))),
      send,
      interrupt: signal("SIGINT"),
      stop: Effect.zipRight(Effect.unlessEffect(terminate, hasExited), Effect.asVoid(exited)),
      exit: exited,
      title: basename(options.command),
      ...(identity === undefined ? {} : { group: identity })
    }
  })
