import type { Cause } from "effect"
import type * as ReplayPlan from "../domain/ReplayPlan.ts"
import type * as ControlFrame from "../protocol/ControlFrame.ts"
import * as Cursor from "../protocol/Cursor.ts"
import * as VectorCursor from "../protocol/VectorCursor.ts"
import type { SessionActor } from "../session/SessionActor.ts"
import type { Watcher } from "../session/Watcher.ts"
import type { Batch } from "../store/Batch.ts"
import * as Metrics from "../telemetry/Metrics.ts"

/** What a seam needs of its connection. */
export interface Ear {
  /** A durable batch for a live seam. */
  readonly take: (seam: LiveSeam, batch: Batch) => void
  /** A seam is in log mode and wants its log read. */
  readonly readSoon: () => void
  readonly sessionEnded: (seam: LiveSeam, reason: "ended" | "deleted" | "failed") => void
  readonly died: (cause: Cause.Cause<never>) => void
}

/**
 * The seam between log and live of one connection's watch on one session (design §3). `seq` is the last event written.
 * *log*: offers are let pass by, the connection reads the log from `seq`. *live*: offers are taken. The switch to live is
 * one synchronous step, taken only when `seq` has reached the actor's head, so that no event can fall between; a batch at
 * or before `seq` is dropped at the socket, so that none comes twice.
 */
export class LiveSeam implements Watcher {
  readonly actor: SessionActor
  mode: "log" | "live" | "ended" = "log"
  /** `undefined` until the session exists. */
  epoch: string | undefined
  seq: number
  /** Where it was at the last tick of the periodic sync that looked at it. */
  private syncedAt: number
  private readonly ear: Ear
  private entry = ""
  private entrySeq = -1

  /** Begins in log mode, or live when the plan leaves nothing to replay. */
  constructor(actor: SessionActor, plan: ReplayPlan.ReplayPlan, ear: Ear) {
    this.actor = actor
    this.epoch = actor.log.epoch
    this.seq = plan.after
    this.syncedAt = plan.after
    this.ear = ear
    if (plan.after >= actor.head) this.mode = "live"
    actor.watch(this)
  }

  get cursor(): string | null {
    return this.epoch === undefined ? null : Cursor.format({ epoch: this.epoch, seq: this.seq })
  }

  /** Also for a session that does not exist yet: a place before its first event. */
  get place(): Cursor.Cursor {
    return this.epoch === undefined ? Cursor.origin : { epoch: this.epoch, seq: this.seq }
  }

  /** This session's piece of the vector. */
  get vectorEntry(): string {
    if (this.entrySeq !== this.seq || this.entry === "") {
      this.entry = VectorCursor.formatEntry(this.actor.session, this.place)
      this.entrySeq = this.epoch === undefined ? -1 : this.seq
    }
    return this.entry
  }

  offer(batch: Batch): void {
    if (this.mode === "live") this.ear.take(this, batch)
  }

  /** The events up to `seq` of this epoch were written. */
  wrote(epoch: string, seq: number): void {
    this.epoch = epoch
    this.seq = seq
  }

  resync(): void {
    this.toLog()
  }

  sync(isLookedAfter: boolean): boolean {
    if (this.mode === "ended" || this.seq >= this.actor.head) return false
    const isStuck = this.seq === this.syncedAt
    this.syncedAt = this.seq
    if (isStuck && isLookedAfter) {
      Metrics.synced.unsafeUpdate(1, [])
      if (this.mode === "live") this.toLog()
      else this.ear.readSoon()
    }
    return true
  }

  toLog(): void {
    if (this.mode !== "live") return
    this.mode = "log"
    this.ear.readSoon()
  }

  /** Nothing can follow what was written. */
  get isOver(): boolean {
    return this.actor.state === "ENDED" && this.seq >= this.actor.head
  }

  /** The synchronous step. True: live from now on. */
  goLive(): boolean {
    if (this.mode !== "log" || this.seq < this.actor.head) return false
    this.mode = "live"
    return true
  }

  ended(reason: "ended" | "deleted" | "failed"): void {
    if (this.mode === "ended") return
    this.ear.sessionEnded(this, reason)
  }

  died(cause: Cause.Cause<never>): void {
    this.ear.died(cause)
  }

  /** No frame of this session follows. */
  close(): void {
    this.mode = "ended"
    this.actor.unwatch(this)
  }

  gap(gap: ReplayPlan.Gap): ControlFrame.Gap {
    const { head, oldest, session } = this.actor
    return { session, ...gap, oldest, head }
  }
}
