import * as assert from "node:assert/strict"
import * as Timers from "../../../src/client/browser/Timers.ts"

/** Time that stands still until a test moves it. */
export interface FakeTimers extends Timers.Timers {
  /** Every wait that was asked for, in milliseconds. */
  readonly asked: ReadonlyArray<number>
  readonly pending: () => number
  /** Lets so much time pass: what is due is called, in order. */
  readonly advance: (millis: number) => void
  /** The same while the machine sleeps: nothing is called. */
  readonly jump: (millis: number) => void
}

export const make = (random: () => number = () => 0): FakeTimers => {
  const waiting = new Set<{ readonly at: number; readonly act: () => void }>()
  const asked: Array<number> = []
  let now = 1_000_000
  return {
    now: () => now,
    random,
    after: (millis, act) => {
      asked.push(millis)
      const timer = { at: now + millis, act }
      waiting.add(timer)
      return () => void waiting.delete(timer)
    },
    asked,
    pending: () => waiting.size,
    advance: (millis) => {
      const end = now + millis
      for (;;) {
        const [due] = Array.from(waiting)
          .filter(({ at }) => at <= end)
          .sort((one, other) => one.at - other.at)
        if (due === undefined) break
        waiting.delete(due)
        now = Math.max(now, due.at)
        due.act()
      }
      now = end
    },
    jump: (millis) => {
      assert.ok(millis > 0)
      now += millis
    }
  }
}

/** Real time, in which a client comes back and tries again at once. */
export const hasty: Timers.Timers = {
  ...Timers.platform,
  random: () => 0,
  after: (millis, act) => Timers.platform.after(millis < 10_000 ? 0 : millis, act)
}
