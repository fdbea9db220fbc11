import type * as ControlFrame from "../../protocol/ControlFrame.ts"
import type * as Cursor from "../../protocol/Cursor.ts"
import type * as Reader from "../core/Reader.ts"

/** One event of a session's log, once and in the order of `seq`. `data` is text: JSON, unless a string was stored. */
export interface EventItem {
  readonly type: "event"
  readonly session: string
  readonly epoch: string
  readonly seq: number
  readonly name: string
  readonly data: string
}

/** Up to 1,000 events, in order. `lost`: what the log does not have any more, before them. Never both empty. */
export interface HistoryPage {
  readonly session: string
  readonly epoch: string
  readonly lost: Reader.Gap | undefined
  readonly events: ReadonlyArray<EventItem>
}

/** Events that do not come on the stream. */
export interface GapItem {
  readonly type: "gap"
  readonly session: string
  readonly gap: Reader.Gap
  /** Loads them, page by page as they are taken; the stream goes on meanwhile. */
  readonly history: () => AsyncIterable<HistoryPage>
}

/** What `for await` over a client gives, in order. */
export type Item =
  | EventItem
  | GapItem
  /** All that the session had when the connection was made was given; again after each reconnect. */
  | { readonly type: "live"; readonly session: string; readonly cursor: Cursor.Cursor | undefined }
  /** No event follows; the client does not ask for the session again. */
  | {
      readonly type: "end"
      readonly session: string
      readonly cursor: Cursor.Cursor | undefined
      readonly reason: ControlFrame.End["reason"]
    }
  /** Another connection writes to the session now; this one still watches it. */
  | { readonly type: "owner"; readonly session: string }
