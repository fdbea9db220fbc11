import type { SessionId } from "../../domain/Session.ts"
import type * as Cursor from "../../protocol/Cursor.ts"
import type * as Reader from "../core/Reader.ts"
import type * as Readers from "../core/Readers.ts"

/** What a watcher sees, in order. */
export type Delivery =
  /** The next events of a session, of one log; never none. */
  | {
      readonly _tag: "Events"
      readonly session: SessionId
      readonly epoch: string
      readonly events: ReadonlyArray<Reader.Event>
    }
  /** Events that did not come and, when gaps are filled, cannot be had any more. */
  | { readonly _tag: "Gap"; readonly session: SessionId; readonly gap: Reader.Gap }
  /** A connection begins. `token` names it: the client's own messages carry it. */
  | { readonly _tag: "Connected"; readonly session: SessionId; readonly mode: string; readonly token: string }
  /** All that was committed until now has come. */
  | { readonly _tag: "Live"; readonly session: SessionId; readonly cursor: Cursor.Cursor | undefined }
  /** There is no connection, or no history; the next try is in `millis`. */
  | { readonly _tag: "Offline"; readonly why: string; readonly millis: number }
  /** Another connection writes to the session now; this one still watches it. */
  | { readonly _tag: "Owner"; readonly session: SessionId }
  /** Nothing of this session follows. `over`: it had ended, and the reader had all of it. */
  | { readonly _tag: "End"; readonly session: SessionId; readonly reason: "ended" | "deleted" | "over" }

const fromStep = (
  session: SessionId,
  step: Exclude<Reader.Step, { readonly type: "event" }>,
  token: string
): Delivery => {
  switch (step.type) {
    case "opened":
      return { _tag: "Connected", session, mode: step.mode, token }
    case "gap":
      return { _tag: "Gap", session, gap: step.gap }
    case "live":
      return { _tag: "Live", session, cursor: step.cursor }
    case "owner":
      return { _tag: "Owner", session }
    case "end":
      return { _tag: "End", session, reason: step.reason }
  }
}

/** Steps of one moment, of the connection `token`: neighbouring events as one run. */
export const fromSteps = (
  steps: ReadonlyArray<Readers.Step>,
  token: string,
  sessions: ReadonlyMap<string, SessionId>
): ReadonlyArray<Delivery> => {
  const all: Array<Delivery> = []
  let run: { readonly session: SessionId; readonly epoch: string; readonly events: Array<Reader.Event> } | undefined
  for (const { session: id, step } of steps) {
    const session = sessions.get(id)
    if (session === undefined) continue // a reader for each, so there is none
    if (step.type !== "event") {
      run = undefined
      all.push(fromStep(session, step, token))
      continue
    }
    const { data, epoch, name, seq } = step
    if (run?.session !== session || run.epoch !== epoch) {
      run = { session, epoch, events: [] }
      all.push({ _tag: "Events", ...run })
    }
    run.events.push({ seq, name, data })
  }
  return all
}
