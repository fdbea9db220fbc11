import { Clock, Duration, Effect } from "effect"

interface Sleep {
  readonly at: number
  readonly wake: () => void
}

/** Time that stands still until it is moved on to what sleeps until then. */
export class SimulatedClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  /** Epoch milliseconds. */
  now: number
  private sleeps: Array<Sleep> = []

  constructor(now: number) {
    this.now = now
  }

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.now) * 1_000_000n
  }

  readonly currentTimeMillis = Effect.sync(() => this.now)
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async((resume) => {
      const sleep = { at: this.now + Math.ceil(Duration.toMillis(duration)), wake: () => resume(Effect.void) }
      this.sleeps.push(sleep)
      return Effect.sync(() => {
        this.sleeps = this.sleeps.filter((other) => other !== sleep)
      })
    })
  }

  /** How many sleep. */
  get sleeping(): number {
    return this.sleeps.length
  }

  /** When the next one wakes; `Infinity` when nobody sleeps. */
  get next(): number {
    return this.sleeps.reduce((earliest, { at }) => Math.min(earliest, at), Number.POSITIVE_INFINITY)
  }

  /** Moves on to a time that is not after `next`. Those who wake then, for the schedule to choose their order. */
  advance(to: number): ReadonlyArray<() => void> {
    this.now = Math.max(this.now, to)
    const due = this.sleeps.filter(({ at }) => at <= this.now)
    this.sleeps = this.sleeps.filter(({ at }) => at > this.now)
    return due.map(({ wake }) => wake)
  }

  /** Nobody wakes any more. */
  clear(): void {
    this.sleeps = []
  }
}
