import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { DisconnectOutbox } from "../callback/DisconnectOutbox.ts"
import { api } from "../domain/Api.ts"
import { TokenNotFound } from "../domain/GatewayError.ts"
import { answered } from "./PlatformErrors.ts"

const time = (at: number): string => new Date(at).toISOString()

/** Disconnects that were given up: listed, and delivered once more (design §6). */
export const layer = HttpApiBuilder.group(api, "deadLetters", (handlers) =>
  Effect.map(DisconnectOutbox, (outbox) => {
    /** One more than asked for tells whether a next page exists. */
    const list = ({ after, limit }: { readonly after?: string | undefined; readonly limit: number }) =>
      Effect.map(outbox.deadLetters({ after, limit: limit + 1 }), (found) => {
        const page = found.slice(0, limit)
        const last = page[page.length - 1]
        const deadLetters = page.map(({ attempts, diedAt, owedAt, problem, reason, token }) => ({
          token,
          reason,
          attempts,
          problem,
          owedAt: time(owedAt),
          diedAt: time(diedAt)
        }))
        return found.length > page.length && last ? { deadLetters, next: last.token } : { deadLetters }
      })

    const retry = (token: string) =>
      Effect.flatMap(outbox.retry(token), (found) => (found ? Effect.succeed({ token }) : new TokenNotFound()))

    return handlers
      .handle("listDead", ({ urlParams }) => answered(list(urlParams)))
      .handle("retry", ({ path }) => answered(retry(path.token)))
  })
)
