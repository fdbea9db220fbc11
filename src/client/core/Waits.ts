import * as Backoff from "../../protocol/Backoff.ts"

const backoff: Backoff.Backoff = { base: 500, max: 30_000 }

/** Milliseconds until the next try: full jitter up to 0.5 s, 1 s, 2 s … 30 s, behind what the server asked for. */
export const delay = (failures: number, random: number, floor = 0): number =>
  Backoff.delay(backoff, failures, random, floor)

/** Milliseconds without a byte after which a connection is dead: 2.5 heartbeats, of so many seconds (design §8). */
export const patience = (heartbeat: number): number => heartbeat * 2500
