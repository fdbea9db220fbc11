import type { Backend } from "./Backend.ts"
import type * as Stopwatch from "./Stopwatch.ts"

/**
 * The servers that are compared. The raw ones are written by hand on `node:http`, check nothing and store nothing:
 * `raw` writes every event at once, `rawGathering` once per loop turn all that came in it, `rawKeeping` keeps the frames
 * in memory, for those who want the history; `rawGateway` has the routes of the gateway instead of the sessions'. The
 * others are `sluice serve` on SQLite, with that durability.
 */
export type ServerKind = "raw" | "rawGathering" | "rawKeeping" | "rawGateway" | "power" | "process"
export type RawKind = Extract<ServerKind, `raw${string}`>
export type RawServerKind = Exclude<RawKind, "rawGateway">
export type SluiceKind = Exclude<ServerKind, RawKind>

/** A server on loopback, in a process of its own. */
export interface Server {
  readonly port: number
  readonly pid: number
}

export interface Outcome {
  readonly value: number
  /** `Lap.clientShare`, where the load client may be the limit. */
  readonly clientShare?: number
  /** `Lap.clientWaited`. */
  readonly clientWaited?: number
}

/** What is measured. It runs in the load process; only the harness starts servers. */
export interface Measure {
  readonly says: string
  readonly unit: string
  readonly better: "more" | "less"
  /** A row of the table for each. */
  readonly baselines: ReadonlyArray<RawKind>
  /** One alone where durability does not matter. */
  readonly against: ReadonlyArray<SluiceKind>
  /** Printed under the table. */
  readonly note?: string
  /** The value is a ratio by itself: shown as it is, not divided by the baseline's. */
  readonly isRatio?: boolean
  /** What its runs with one server may take together, where that is more than for most. */
  readonly seconds?: number
  /** Every run gets a server that nobody has used. */
  readonly isFresh?: boolean
  /** Once for each server, before its first run. */
  readonly prepare?: (server: Server, backend: Backend) => Promise<void>
  readonly run: (server: Server, backend: Backend) => Promise<Outcome>
}

export type HotPath = ReadonlyArray<Measure>

/** A rate per second. `count` is what was done in the lap. */
export const rate = (count: number, lap: Stopwatch.Lap): Outcome => ({
  value: count / lap.seconds,
  clientShare: lap.clientShare,
  clientWaited: lap.clientWaited
})

/** Microseconds each of `count` has cost the server, in the unit of `Stopwatch.costUnit`. */
export const cost = (count: number, lap: Stopwatch.Lap): Outcome => ({
  value: lap.serverMicroseconds / count,
  clientWaited: lap.clientWaited
})
