import type { Cause } from "effect"
import type { Batch } from "../store/Batch.ts"

/** A connection's ear on one session. None of its methods waits or fails: a full watcher falls back to log mode. */
export interface Watcher {
  /** Called once per batch, in order, when it is durable. */
  readonly offer: (batch: Batch) => void
  /** The actor restarted from the store: offers may have been missed, read the log. */
  readonly resync: () => void
  /** Called at each tick of the periodic sync; true while it is behind. What did not move since the last tick reads the log. */
  readonly sync: (isLookedAfter: boolean) => boolean
  /** No event can follow. `ended`: what it has not read yet is still in the log. */
  readonly ended: (reason: "ended" | "deleted" | "failed") => void
  /** One of the others died: contained by the caller, so that no other watcher misses anything. */
  readonly died: (cause: Cause.Cause<never>) => void
}
