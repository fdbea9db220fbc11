import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { api } from "../domain/Api.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import { answered } from "./PlatformErrors.ts"

/** History, list, get and delete (contract §2). */
export const layer = HttpApiBuilder.group(api, "sessions", (handlers) =>
  Effect.map(SessionRegistry, (sessions) => {
    const history = (id: Parameters<typeof sessions.history>[0], range: Parameters<typeof sessions.history>[1]) =>
      Effect.map(sessions.history(id, range), ({ events, record: { epoch, head, oldest, session } }) => ({
        session,
        epoch,
        oldest,
        head,
        events
      }))

    /** One more than asked for tells whether a next page exists. */
    const list = (query: Parameters<typeof sessions.list>[0]) =>
      Effect.map(sessions.list({ ...query, limit: query.limit + 1 }), (found) => {
        const page = found.slice(0, query.limit)
        const last = page[page.length - 1]
        return found.length > page.length && last ? { sessions: page, next: last.session } : { sessions: page }
      })

    return handlers
      .handle("history", ({ path, urlParams }) => answered(history(path.id, urlParams)))
      .handle("list", ({ urlParams }) => answered(list(urlParams)))
      .handle("get", ({ path }) => answered(sessions.get(path.id)))
      .handle("remove", ({ path }) => answered(sessions.remove(path.id)))
  })
)
