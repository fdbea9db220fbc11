import { Deferred, Effect } from "effect"
import type { SessionId } from "../domain/Session.ts"
import * as ChildProcess from "../process/ChildProcess.ts"
import type { Process } from "../process/Process.ts"
import { Processes } from "../session/worker/Processes.ts"
import { type Setting, settings } from "./Settings.ts"

/** How a command ended; `problem`: that it did not start, and why. */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly problem?: string
}

/** The environment of this server without its secrets: what works for a session is not trusted with them. */
const environment = (): Record<string, string | undefined> => {
  const secrets = Object.values<Setting<unknown>>(settings).flatMap(({ env, isSecret }) => (isSecret ? [env] : []))
  const hidden = [...secrets, settings.callbackUrl.env] // which may have a password
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !hidden.includes(name)))
}

/**
 * Runs a command as the process of a session of this server. Done when that is in the log, which tells everything of it; `ended`
 * waits for its end.
 */
export const run = (session: SessionId, program: Omit<ChildProcess.Options, "env">) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const ended = yield* Deferred.make<Ended>()
    const made = Effect.gen(function* () {
      let child: Process | undefined
      // The first to be added is the last to run: by then the program has been ended, and waited for.
      yield* Effect.addFinalizer(() =>
        child?.exit === undefined
          ? Effect.void
          : Effect.flatMap(child.exit, (status) => Deferred.succeed(ended, status))
      )
      child = yield* Effect.tapError(ChildProcess.make({ ...program, env: environment() }), ({ message }) =>
        Deferred.succeed(ended, { code: null, signal: null, problem: message })
      )
      return child
    })
    yield* processes.attach(session, made)
    return { ended: Deferred.await(ended) } as const
  })
