import * as HttpClient from "@effect/platform/HttpClient"
import { type Array, Context, Effect, Layer, type Redacted, Stream } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import * as Asking from "./Asking.ts"
import type { Delivery } from "./Delivery.ts"
import type { Refused, Remote, Unavailable } from "./Exchange.ts"
import * as HistoryPages from "./HistoryPages.ts"
import * as Retrying from "./Retrying.ts"
import type { OutboxFull } from "./Turns.ts"
import type { Watchers } from "./Watchers.ts"
import * as Watching from "./Watching.ts"

export interface Options {
  /** Where the server is; a base path is kept: servers stand behind proxies. */
  readonly url: string
  readonly key?: Redacted.Redacted | undefined
  /** When `watch` comes back, or asks again for what fills a gap (`Retrying.forever`). It begins anew at each hello. */
  readonly reconnect?: Retrying.Policy
  /** When `send` and `history` try again (`Retrying.forever`). */
  readonly retries?: Retrying.Policy
}

/** A Sluice server, as an Effect program speaks to it. */
export class SluiceClient extends Context.Tag("sluice/client/SluiceClient")<
  SluiceClient,
  {
    /**
     * 1 to 100 sessions over one connection at a time, and over as many as it takes: it comes back after every failure but
     * `Refused`, and ends when all sessions have, or with `Unavailable` when `reconnect` does. Whoever takes slowly slows down
     * nobody else.
     */
    readonly watch: (
      sessions: SessionId | Array.NonEmptyReadonlyArray<SessionId>,
      options?: Watching.Options
    ) => Stream.Stream<Delivery, Refused | Unavailable>
    /** Pages of at most 1,000 events, from the oldest; none where the range has no event. */
    readonly history: (
      session: SessionId,
      range?: HistoryPages.Range
    ) => Stream.Stream<HistoryPages.Page, Refused | Unavailable | HistoryPages.LogReplaced>
    /**
     * Messages go in the order in which they were begun, one at a time; 100 wait at most. Stored once, however often it had to
     * be sent. While the session is watched, it is owned by that connection. `Unavailable`: the retries ended; it may have been
     * stored. Interrupted before its turn, it is not sent.
     */
    readonly send: (
      session: SessionId,
      message: Asking.Message
    ) => Effect.Effect<Asking.Receipt, Refused | Unavailable | OutboxFull>
    /** Asked once, perhaps with something to say. `Unavailable`: nobody knows whether it was heard. */
    readonly interrupt: (
      session: SessionId,
      message?: Asking.Message
    ) => Effect.Effect<Asking.Receipt, Refused | Unavailable>
    /** As `interrupt`; the process is asked to end. */
    readonly stop: (
      session: SessionId,
      message?: Asking.Message
    ) => Effect.Effect<Asking.Receipt, Refused | Unavailable>
  }
>() {}

export const make = ({ key, reconnect = Retrying.forever, retries = Retrying.forever, url }: Options) =>
  Effect.map(HttpClient.HttpClient, (client) => {
    const remote: Remote = { url: url.replace(/\/+$/, ""), key }
    const watchers: Watchers = new Set()
    const { ask, send } = Asking.make(remote, watchers, retries)
    const provided = Effect.provideService(HttpClient.HttpClient, client)
    const fed = Stream.provideService(HttpClient.HttpClient, client)
    return SluiceClient.of({
      watch: (sessions, options = {}) => {
        const ids = typeof sessions === "string" ? [sessions] : sessions
        return fed(Watching.stream({ remote, watchers, reconnect }, ids, options))
      },
      history: (session, range = {}) => fed(HistoryPages.pages(remote, session, range, retries)),
      send: (session, message) => provided(send(session, message)),
      interrupt: (session, message) => provided(ask(session, "interrupt", message)),
      stop: (session, message) => provided(ask(session, "stop", message))
    })
  })

/** Needs an `HttpClient`: of Node, or of `fetch`. */
export const layer = (options: Options): Layer.Layer<SluiceClient, never, HttpClient.HttpClient> =>
  Layer.effect(SluiceClient, make(options))
