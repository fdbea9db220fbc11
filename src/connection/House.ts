import type { Expiring } from "./Deadlines.ts"
import type { Bounds } from "./Outgoing.ts"
import type { Timing } from "./Pulse.ts"

/** What gathers batches, and writes them when it is told. */
export interface Flushed {
  readonly flush: (now: number) => void
}

/** What all connections share. */
export interface House {
  readonly timing: Timing
  readonly bounds: Bounds
  readonly now: () => number
  /** Writes what this connection gathered at the end of the present step. */
  readonly flushSoon: (connection: Flushed) => void
  readonly schedule: (at: number, item: Expiring) => void
}
