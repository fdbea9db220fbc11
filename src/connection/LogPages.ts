import { Effect, Option } from "effect"
import type { StoreError } from "../domain/SessionError.ts"
import * as Frame from "../protocol/Frame.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import type { EventStore, Page } from "../store/EventStore.ts"
import * as Frames from "../store/Frames.ts"
import type { LiveSeam } from "./LiveSeam.ts"
import type { Form } from "./SocketWriter.ts"

/** Events of a page on a stream over a single session: few, large writes. */
const singlePage = 500
/** On a stream over several: a quiet session waits for at most so many events of a busy one (S94). */
const manyPage = 50

/** The page that follows a seam's cursor, in the form of its stream. */
export const next = (
  form: Form,
  seam: LiveSeam,
  sessions: SessionRegistry["Type"],
  store: EventStore["Type"]
): Effect.Effect<Option.Option<Page>, StoreError> => {
  const { actor, seq } = seam
  if (form === "single") return sessions.readPage(actor, seq, singlePage)
  const { epoch, session } = actor
  const range = {
    after: Math.max(seq, actor.oldest - 1),
    before: actor.head + 1,
    limit: manyPage,
    order: "asc"
  } as const
  return Effect.map(store.readEvents(session, range), (events) => {
    const [first] = events
    const last = events[events.length - 1]
    if (first === undefined || last === undefined) return Option.none()
    const text = events.map((event) => Frame.wrapped({ session, epoch, ...event })).join("")
    return Option.some({ first: first.seq, last: last.seq, frames: Frames.fromText(text) })
  })
}
