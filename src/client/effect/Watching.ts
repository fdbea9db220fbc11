import { Effect, Ref, Stream, SubscriptionRef } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import * as Cursor from "../../protocol/Cursor.ts"
import type * as VectorCursor from "../../protocol/VectorCursor.ts"
import * as Reader from "../core/Reader.ts"
import * as Attempts from "./Attempts.ts"
import * as Connection from "./Connection.ts"
import type { Delivery } from "./Delivery.ts"
import * as Exchange from "./Exchange.ts"
import * as HistoryPages from "./HistoryPages.ts"
import type { Policy } from "./Retrying.ts"
import * as StreamForm from "./StreamForm.ts"
import * as Watchers from "./Watchers.ts"

export interface Options {
  /** Where to begin in sessions that have no cursor (`head`); after that the place is the reader's own. */
  readonly from?: "start" | "head"
  /** The last event that is known of a session. */
  readonly cursors?: VectorCursor.VectorCursor
  /** Gaps are filled from history (true), as far as the log still has their events; what follows them waits. */
  readonly fillsGaps?: boolean
}

/** Tells why there is no connection, and waits for the next try. */
const pause = ({ waits, watcher }: Connection.Task, { retryAfter, why }: Exchange.Unavailable) =>
  Effect.gen(function* () {
    const { farewell, retry } = yield* Ref.get(watcher)
    const failure = new Exchange.Unavailable({ why: farewell ?? why, retryAfter: Math.max(retryAfter, retry) })
    const millis = yield* waits.next(failure)
    const offline: Delivery = { _tag: "Offline", why: failure.why, millis }
    return Stream.concat(Stream.make(offline), Stream.drain(Stream.fromEffect(Effect.sleep(millis))))
  }).pipe(Stream.unwrap)

/** Ends behind the `End` of the last session. */
const untilAllEnd =
  (count: number) =>
  <E, R>(deliveries: Stream.Stream<Delivery, E, R>) =>
    deliveries.pipe(
      Stream.mapAccum(count, (before, delivery) => {
        const left = delivery._tag === "End" ? before - 1 : before
        return [left, { delivery, isLast: left === 0 }]
      }),
      Stream.takeUntil(({ isLast }) => isLast),
      Stream.map(({ delivery }) => delivery)
    )

/** What watchers of one client share. */
export interface Client {
  readonly remote: Exchange.Remote
  readonly watchers: Watchers.Watchers
  readonly reconnect: Policy
}

/**
 * Sessions from where the options say, over as many connections as it takes; it ends when all of them have. Each event comes
 * once and, within its session, in order; a `Gap` is what could not be had, or with `fillsGaps` off, what was not asked for.
 */
export const stream = (client: Client, ids: ReadonlyArray<SessionId>, options: Options) =>
  Effect.gen(function* () {
    const { reconnect, remote, watchers } = client
    const { cursors, fillsGaps = true, from } = options
    const sessions = new Map<string, SessionId>(ids.map((session) => [session, session]))
    const begin = from === "start" ? Cursor.origin : undefined
    const readers = new Map(Array.from(sessions.keys(), (id) => [id, Reader.make(cursors?.get(id) ?? begin)]))
    const watcher = yield* SubscriptionRef.make(Watchers.watcher(readers))
    yield* Watchers.join(watchers, watcher)
    const form = StreamForm.make(Array.from(sessions.keys()))
    const task = { remote, sessions, form, watcher, waits: yield* Attempts.waits(reconnect) }
    return Connection.run(task).pipe(
      Stream.catchTag("Unavailable", (failure) => pause(task, failure)),
      Stream.forever,
      // Behind the loop, which a page that cannot be had must not lead back to a connection.
      Stream.flatMap((delivery) =>
        delivery._tag === "Gap" && fillsGaps
          ? HistoryPages.fill(remote, delivery.session, delivery.gap, reconnect)
          : Stream.make(delivery)
      ),
      untilAllEnd(sessions.size)
    )
  }).pipe(Stream.unwrapScoped)
