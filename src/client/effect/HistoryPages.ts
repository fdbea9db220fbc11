import { Chunk, Data, Effect, Option, Stream } from "effect"
import * as Api from "../../domain/Api.ts"
import type { SessionId } from "../../domain/Session.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as History from "../core/History.ts"
import type { Gap } from "../core/Reader.ts"
import * as Attempts from "./Attempts.ts"
import type { Delivery } from "./Delivery.ts"
import * as Exchange from "./Exchange.ts"
import type { Policy } from "./Retrying.ts"

/** Both bounds are outside: `after` < seq < `before`. */
export interface Range {
  /** 0 unless said otherwise. */
  readonly after?: number
  /** No bound unless said otherwise. */
  readonly before?: number
}

/** Events of one log, oldest first; `oldest` and `head` of that log, as it was then. */
export type Page = typeof Api.History.Type

/** Another log has the session's id now: it was removed and made anew between two pages. `epoch`: of the new one. */
export class LogReplaced extends Data.TaggedError("LogReplaced")<{
  readonly session: SessionId
  readonly epoch: string
}> {}

const page = (remote: Exchange.Remote, session: SessionId, range: Range) =>
  Exchange.request("GET", remote, Paths.events(session), { query: { ...range, limit: History.pageLimit } }).pipe(
    Exchange.read(Api.History)
  )

/** All pages of a range that have events, each asked for when it is taken. */
export const pages = (remote: Exchange.Remote, session: SessionId, range: Range, policy: Policy) =>
  Stream.paginateChunkEffect({ range, epoch: Option.none<string>() }, ({ epoch, range }) =>
    Effect.gen(function* () {
      const found = yield* page(remote, session, range).pipe(Attempts.persistently(policy))
      if (Option.isSome(epoch) && epoch.value !== found.epoch) {
        return yield* new LogReplaced({ session, epoch: found.epoch })
      }
      const last = found.events[found.events.length - 1]
      if (last === undefined) return [Chunk.empty<Page>(), Option.none()] as const
      const rest = { range: { ...range, after: last.seq }, epoch: Option.some(found.epoch) }
      const isDone = range.before !== undefined && last.seq + 1 >= range.before
      return [Chunk.of(found), isDone ? Option.none() : Option.some(rest)] as const
    })
  )

const deliveries = (session: SessionId, gap: Gap, { events, lost }: History.Turn): ReadonlyArray<Delivery> => [
  ...(lost === undefined ? [] : [{ _tag: "Gap", session, gap: lost } as const]),
  ...(events.length === 0 ? [] : [{ _tag: "Events", session, epoch: gap.epoch, events } as const])
]

/** What is still to be asked for, after a wait of so many milliseconds. */
interface Place {
  readonly gap: Gap
  readonly pause: number
}

/**
 * The events of a gap, page by page as they are taken, and a gap for each part of it that the log no longer has. A server
 * that does not answer is asked again by `policy`: what follows the gap waits.
 */
export const fill = (remote: Exchange.Remote, session: SessionId, gap: Gap, policy: Policy) =>
  Effect.gen(function* () {
    const waits = yield* Attempts.waits(policy)
    // A session that is gone has no events.
    const ask = ({ after, next }: Gap) =>
      Effect.catchIf(
        page(remote, session, { after, before: next }),
        (error) => error._tag === "Refused" && error.status === 404,
        () => Effect.succeed({ epoch: "", events: [] })
      )
    const turn = ({ gap, pause }: Place) =>
      Effect.sleep(pause).pipe(
        Effect.zipRight(ask(gap)),
        Effect.zipLeft(waits.reset),
        Effect.map((page) => {
          const turn = History.turn(gap, page)
          const rest = turn.rest === undefined ? Option.none() : Option.some({ gap: turn.rest, pause: 0 })
          return [Chunk.unsafeFromArray(deliveries(session, gap, turn)), rest] as const
        }),
        Effect.catchTag("Unavailable", (failure) =>
          Effect.map(waits.next(failure), (millis) => {
            const offline: Delivery = { _tag: "Offline", why: failure.why, millis }
            return [Chunk.of(offline), Option.some({ gap, pause: millis })] as const
          })
        )
      )
    // A gap whose size nobody knows stays a gap, whatever of the present log can be read behind it.
    const known: ReadonlyArray<Delivery> = gap.missed === null ? [{ _tag: "Gap", session, gap }] : []
    const found = History.isEmpty(gap) ? Stream.empty : Stream.paginateChunkEffect({ gap, pause: 0 }, turn)
    return Stream.concat(Stream.fromIterable(known), found)
  }).pipe(Stream.unwrap)
