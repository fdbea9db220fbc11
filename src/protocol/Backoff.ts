/** Milliseconds. `base` doubles with each failure up to `max`. */
export interface Backoff {
  readonly base: number
  readonly max: number
}

/**
 * Full jitter: a wait between 0 and the exponential bound, never below `floor` (what the server asked for by `retry`).
 * `random` is in [0, 1). After a restart of the server the clients so spread out instead of returning all at once.
 */
export const delay = (backoff: Backoff, failures: number, random: number, floor = 0): number => {
  const bound = Math.min(backoff.max, backoff.base * 2 ** failures)
  return floor + Math.floor(random * bound)
}
