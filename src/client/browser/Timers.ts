/** Time and chance, so that tests need not wait. All in milliseconds. */
export interface Timers {
  /** Since 1970. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
  /** Calls `act` once, later, or never where `millis` is infinite; the result takes that back. */
  readonly after: (millis: number, act: () => void) => () => void
}

/** A time, or a wait, without an end. */
export const never = Number.POSITIVE_INFINITY

/** Above it, a timer of the platform fires at once. */
const longest = 2 ** 31 - 1

export const platform: Timers = {
  now: Date.now,
  random: Math.random,
  after: (millis, act) => {
    const timer = setTimeout(act, Math.min(millis, longest))
    return () => clearTimeout(timer)
  }
}
