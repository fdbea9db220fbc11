import type { SessionId } from "../../domain/Session.ts"
import type * as Cursor from "../../protocol/Cursor.ts"
import type * as Reader from "../core/Reader.ts"
import type * as Readers from "../core/Readers.ts"

/** What a watcher sees, in order. Events come in runs of one session and epoch, and are never empty. */
export type Delivery =
  | {
      readonly _tag: "Events"
      readonly session: SessionId
      readonly epoch: string
      readonly events: ReadonlyArray<Reader.Event>
    }
  /** Events that did not come and, when gaps are filled, cannot be had any more. */
  | { readonly _tag: "Gap"; readonly session: SessionId; readonly gap: Reader.Gap }
  /** `token` names the connection in messages. Over several sessions `mode` is that of the first. */
  | { readonly _tag: "Connected"; readonly mode: string; readonly token: string }
  /** All that was committed until now has come. */
  | { readonly _tag: "Live"; readonly session: SessionId; readonly cursor: Cursor.Cursor | undefined }
  /** There is no connection, or no history; the next try is in `millis`. */
  | { readonly _tag: "Offline"; readonly why: string; readonly millis: number }
  /** Another connection writes to the session now; this one still watches it. */
  | { readonly _tag: "Owner"; readonly session: SessionId }
  /** Nothing of this session follows. `over`: it had ended, and the reader had all of it. */
  | { readonly _tag: "End"; readonly session: SessionId; readonly reason: "ended" | "deleted" | "over" }

/** Steps of one moment: neighbouring events as one run. A goodbye is told with the disconnect that it causes. */
export const fromSteps = (
  steps: ReadonlyArray<Readers.Step>,
  readers: Readers.Readers,
  sessions: ReadonlyMap<string, SessionId>
): ReadonlyArray<Delivery> => {
  const all: Array<Delivery> = []
  let run: { readonly session: SessionId; readonly epoch: string; readonly events: Array<Reader.Event> } | undefined
  for (const { session: id, step } of steps) {
    if (id === undefined) {
      run = undefined
      if (step._tag === "Hello") all.push({ _tag: "Connected", mode: step.mode, token: step.token })
      continue
    }
    const session = sessions.get(id)
    if (session === undefined) continue // a reader for each, so there is none
    if (step._tag === "Event") {
      if (run?.session !== session || run.epoch !== step.epoch) {
        run = { session, epoch: step.epoch, events: [] }
        all.push({ _tag: "Events", ...run })
      }
      run.events.push(step.event)
      continue
    }
    run = undefined
    if (step._tag === "Live") all.push({ _tag: "Live", session, cursor: readers.get(id)?.cursor })
    else all.push({ ...step, session })
  }
  return all
}
