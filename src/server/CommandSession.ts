import { Deferred, Effect } from "effect"
import type { SessionId } from "../domain/Session.ts"
import * as ChildProcess from "../process/ChildProcess.ts"
import type { Process } from "../process/Process.ts"
import { Processes } from "../session/Processes.ts"

/** How a command ended; `problem`: that it did not start, and why. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly problem?: string
}

/**
 * Runs a command as the process of a session of this server. Done when that is in the log, which tells everything of it; `ended`
 * waits for its end.
 */
export const run = (session: SessionId, program: ChildProcess.Options) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const ended = yield* Deferred.make<Ended>()
    const process = Effect.gen(function* () {
      let made: Process | undefined
      // The first to be added is the last to run: by then the program has been ended, and waited for.
      yield* Effect.addFinalizer(() =>
        made?.exit === undefined ? Effect.void : Effect.flatMap(made.exit, (status) => Deferred.succeed(ended, status))
      )
      made = yield* Effect.tapError(ChildProcess.make(program), ({ message }) =>
        Deferred.succeed(ended, { code: null, signal: null, problem: message })
      )
      return made
    })
    yield* processes.attach(session, process)
    return { ended: Deferred.await(ended) } as const
  })
