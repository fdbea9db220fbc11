import type * as Reader from "../client/core/Reader.ts"
import type * as Cursor from "../protocol/Cursor.ts"

/** What a follower of a session sees, in order. Events come in runs of one epoch, and are never empty. */
export type Delivery =
  | { readonly _tag: "Events"; readonly epoch: string; readonly events: ReadonlyArray<Reader.Event> }
  /** Events that did not come and, when gaps are filled, cannot be had any more. */
  | { readonly _tag: "Gap"; readonly gap: Reader.Gap }
  | { readonly _tag: "Connected"; readonly mode: string }
  | { readonly _tag: "Live"; readonly cursor: Cursor.Cursor | undefined }
  | { readonly _tag: "Offline"; readonly why: string; readonly millis: number }
  /** `over`: the session had ended, and the reader had all of it. */
  | { readonly _tag: "End"; readonly reason: "ended" | "deleted" | "over" }

/** Steps of one moment: neighbouring events as one run. A goodbye is told with the disconnect that it causes. */
export const fromSteps = (steps: ReadonlyArray<Reader.Step>, reader: Reader.Reader): ReadonlyArray<Delivery> => {
  const all: Array<Delivery> = []
  let run: { readonly epoch: string; readonly events: Array<Reader.Event> } | undefined
  for (const step of steps) {
    if (step._tag === "Event") {
      if (run?.epoch !== step.epoch) {
        run = { epoch: step.epoch, events: [] }
        all.push({ _tag: "Events", ...run })
      }
      run.events.push(step.event)
      continue
    }
    run = undefined
    if (step._tag === "Hello") all.push({ _tag: "Connected", mode: step.mode })
    else if (step._tag === "Live") all.push({ _tag: "Live", cursor: reader.cursor })
    else if (step._tag !== "Bye") all.push(step)
  }
  return all
}
