import type { EndReason } from "../domain/Connection.ts"

/** Milliseconds, of all streams of a server. */
export interface Timing {
  readonly heartbeat: number
  /** A socket that takes no byte for so long is closed. */
  readonly stall: number
}

/** What one stream was granted. */
export interface Terms {
  /** Milliseconds from its first byte to its end, or infinity. */
  readonly lifetime: number
  readonly endReason: Extract<EndReason, "age" | "expired">
  /** It has control frames. False where only the backend speaks (contract §4). */
  readonly isControlled: boolean
  /** A heartbeat comes after each interval, also when something else was sent meanwhile. */
  readonly beatsAlways: boolean
}

/** The time rules of one stream: heartbeat, stall and lifetime. All times in epoch milliseconds. */
export class Pulse {
  /** When one of the rules must be looked at next. A deadline that moved later is noticed when the old one comes. */
  dueAt: number
  private readonly timing: Timing
  private readonly beatsAlways: boolean
  private readonly endsAt: number
  private quietSince: number
  private fullSince: number | undefined
  private unsent = 0

  constructor(timing: Timing, terms: Terms, now: number) {
    this.timing = timing
    this.beatsAlways = terms.beatsAlways
    this.quietSince = now
    this.endsAt = now + terms.lifetime
    this.dueAt = this.next(now)
  }

  wrote(now: number): void {
    if (!this.beatsAlways) this.quietSince = now
  }

  beat(now: number): void {
    this.quietSince = now
  }

  /** The socket is full. True when it must be looked at sooner than was planned. */
  filled(now: number, unsent: number): boolean {
    this.fullSince = now
    this.unsent = unsent
    if (now + this.timing.stall >= this.dueAt) return false
    this.dueAt = now + this.timing.stall
    return true
  }

  /** What is added to a full socket must not hide what its peer takes meanwhile. */
  added(bytes: number): void {
    this.unsent += bytes
  }

  /** The socket takes bytes again. True when a heartbeat is due before the next look that was planned. */
  drained(now: number): boolean {
    this.fullSince = undefined
    const next = this.next(now)
    if (next >= this.dueAt) return false
    this.dueAt = next
    return true
  }

  isBeatDue(now: number): boolean {
    return this.fullSince === undefined && now - this.quietSince >= this.timing.heartbeat
  }

  /** A socket that took a byte since the last look is slow, not stalled. */
  isStalled(now: number, unsent: () => number): boolean {
    if (this.fullSince === undefined || now - this.fullSince < this.timing.stall) return false
    const left = unsent()
    if (left >= this.unsent) return true
    this.unsent = left
    this.fullSince = now
    return false
  }

  isOver(now: number): boolean {
    return now >= this.endsAt
  }

  /** Plans the next look. */
  plan(now: number): number {
    this.dueAt = this.next(now)
    return this.dueAt
  }

  private next(now: number): number {
    const { fullSince, quietSince, timing } = this
    const next = fullSince === undefined ? quietSince + timing.heartbeat : fullSince + timing.stall
    return Math.max(Math.min(next, this.endsAt), now + 1)
  }
}
