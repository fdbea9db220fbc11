import { Chunk, Effect, Option, Schema, Stream } from "effect"
import * as History from "../client/core/History.ts"
import type { Gap } from "../client/core/Reader.ts"
import * as Api from "../domain/Api.ts"
import type { SessionId } from "../domain/Session.ts"
import * as Paths from "../protocol/Paths.ts"
import * as Exchange from "./Exchange.ts"
import type { Delivery } from "./Delivery.ts"
import type { Remote } from "./Remote.ts"

const decode = Schema.decodeUnknown(Schema.parseJson(Api.History))

/** Events `after` < seq < `next`, oldest first, in pages. A session that is gone has none. */
const page = (remote: Remote, session: SessionId, gap: Gap) =>
  Exchange.request("GET", remote, Paths.events(session), {
    query: { after: gap.after, before: gap.next, limit: History.pageLimit }
  }).pipe(
    (request) => Exchange.execute(request, "30 seconds"),
    Effect.flatMap((response) => Effect.mapError(response.text, Exchange.unavailable)),
    Effect.flatMap((text) => Effect.mapError(decode(text), Exchange.unavailable)),
    Effect.scoped,
    Effect.catchIf(
      (error) => error._tag === "Refused" && error.status === 404,
      () => Effect.succeed({ epoch: "", events: [] })
    )
  )

const deliveries = (gap: Gap, { events, lost }: History.Turn): ReadonlyArray<Delivery> => [
  ...(lost === undefined ? [] : [{ _tag: "Gap", gap: lost } as const]),
  ...(events.length === 0 ? [] : [{ _tag: "Events", epoch: gap.epoch, events } as const])
]

/** A gap whose size nobody knows stays a gap, whatever of the present log can be read behind it. */
const known = (gap: Gap): ReadonlyArray<Delivery> => (gap.missed === null ? [{ _tag: "Gap", gap }] : [])

/** What is still to be asked for, after a wait of so many milliseconds. */
interface Place {
  readonly gap: Gap
  readonly failures: number
  readonly pause: number
}

/**
 * The events of a gap, page by page as they are taken, and a gap for each part of it that the log no longer has. A server
 * that does not answer is asked again: what follows the gap waits.
 */
export const fill = (remote: Remote, session: SessionId, gap: Gap) => {
  const turn = ({ failures, gap, pause }: Place) =>
    Effect.sleep(pause).pipe(
      Effect.zipRight(page(remote, session, gap)),
      Effect.map((page) => {
        const turn = History.turn(gap, page)
        const rest = turn.rest === undefined ? Option.none() : Option.some({ gap: turn.rest, failures: 0, pause: 0 })
        return [Chunk.unsafeFromArray(deliveries(gap, turn)), rest] as const
      }),
      Effect.catchTag("Unavailable", ({ retryAfter, why }) =>
        Effect.map(Exchange.wait(failures, retryAfter), (millis) => {
          const offline: Delivery = { _tag: "Offline", why, millis }
          return [Chunk.of(offline), Option.some({ gap, failures: failures + 1, pause: millis })] as const
        })
      )
    )
  const pages = History.isEmpty(gap) ? Stream.empty : Stream.paginateChunkEffect({ gap, failures: 0, pause: 0 }, turn)
  return Stream.concat(Stream.fromIterable(known(gap)), pages)
}
