import { Effect } from "effect"
import type * as ConnectAnswer from "../domain/ConnectAnswer.ts"
import type { ConnectCall } from "./Callbacks.ts"

/** The answer to a connect, once the log has what of it was ignored. */
export const told = (
  { token }: ConnectCall,
  { answer, ignored }: ConnectAnswer.Parsed
): Effect.Effect<ConnectAnswer.ConnectAnswer> =>
  ignored.length === 0
    ? Effect.succeed(answer)
    : Effect.as(
        Effect.annotateLogs(Effect.logWarning(`ignored in the backend's answer to a connect: ${ignored.join("; ")}`), {
          token
        }),
        answer
      )
