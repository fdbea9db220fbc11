/**
 * The state of one stream and its synchronous steps (hot path). Its fiber is `ConnectionActor`; steps here are called by
 * session actors (offers), by the socket (drain, close) and by the deadlines, each contained: a defect ends this connection.
 */
import { Cause, Effect } from "effect"
import type { EndReason } from "../domain/Connection.ts"
import * as ControlFrame from "../protocol/ControlFrame.ts"
import * as Cursor from "../protocol/Cursor.ts"
import * as Frame from "../protocol/Frame.ts"
import type { Batch } from "../store/Batch.ts"
import * as Frames from "../store/Frames.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import type { Expiring } from "./Deadlines.ts"
import type { Ear, LiveSeam } from "./LiveSeam.ts"
import { type Bounds, Outgoing } from "./Outgoing.ts"
import * as SocketWriter from "./SocketWriter.ts"
import type { StreamSocket } from "./StreamSocket.ts"

/** Durations in milliseconds. */
export interface Timing {
  readonly heartbeat: number
  readonly stall: number
}

/** What all connections share. */
export interface House {
  readonly timing: Timing
  readonly bounds: Bounds
  readonly now: () => number
  /** Writes what this connection gathered at the end of the present step. */
  readonly flushSoon: (connection: Connection) => void
  readonly schedule: (at: number, item: Expiring) => void
}

/** How a stream ends: with a last frame for the client, if it can still hear one. */
export interface Ending {
  readonly reason: EndReason
  readonly farewell: string
}

const nothing = (): void => {}
const none: ReadonlyArray<never> = []
const heartbeat = Frames.fromText(Frame.heartbeat)

export class Connection implements Ear, Expiring {
  readonly token: string
  readonly form: SocketWriter.Form
  readonly socket: StreamSocket
  readonly house: House
  seams: ReadonlyArray<LiveSeam> = []
  /** The end was decided; nothing but the farewell is written from now on. */
  ending: Ending | undefined
  /** The socket is gone. */
  closed = false
  isDirty = false
  private readonly outgoing: Outgoing
  private full = false
  private fullSince = 0
  /** What the full socket was told beside events (watches that come and go): it has the bound of the queue. */
  private told = 0
  private unsent = 0
  private wroteAt: number
  private readonly endsAt: number
  /** The one entry in the deadlines that counts. */
  private dueAt: number
  /** Seams that ended while their last events wait for the socket. */
  private lastWords: ReadonlyArray<() => void> = none
  private resume: ((step: Effect.Effect<void>) => void) | undefined
  private death: Cause.Cause<never> | undefined

  constructor(token: string, form: SocketWriter.Form, socket: StreamSocket, house: House, maxAge: number) {
    this.token = token
    this.form = form
    this.socket = socket
    this.house = house
    this.outgoing = new Outgoing(house.bounds)
    this.wroteAt = house.now()
    this.endsAt = this.wroteAt + maxAge
    socket.onDrain = () => this.contained(() => this.drained())
    this.dueAt = this.nextDue(this.wroteAt)
    house.schedule(this.dueAt, this)
  }

  get isOver(): boolean {
    return this.closed
  }

  get isOpen(): boolean {
    return !this.closed && this.ending === undefined
  }

  /** The next seam to read the log for, or none while the socket is full. Seams take turns. */
  nextRead(): LiveSeam | undefined {
    if (this.full) return undefined
    const seam = this.seams.find(({ mode }) => mode === "log")
    if (seam !== undefined && this.seams.length > 1)
      this.seams = [...this.seams.filter((other) => other !== seam), seam]
    return seam
  }

  /** Parks the connection's fiber until it has something to do. Its interruption means that the client left. */
  park(): Effect.Effect<void> {
    return Effect.async((resume) => {
      this.resume = resume
      this.rouse()
    })
  }

  take(seam: LiveSeam, batch: Batch): void {
    if (!this.outgoing.push(seam, batch)) return this.fallBack()
    if (this.isDirty || this.full) return
    this.isDirty = true
    this.house.flushSoon(this)
  }

  flush(now: number): void {
    this.isDirty = false
    if (!this.isOpen || this.full || this.outgoing.count === 0) return
    try {
      this.wrote(SocketWriter.flush(this.form, this.outgoing, this.seams, this.socket), now)
    } catch (defect) {
      this.died(Cause.die(defect))
    }
  }

  /** Text for this connection alone, after all that waits. */
  write(text: string): void {
    if (!this.isOpen || text === "") return
    this.flush(this.house.now())
    if (this.full) this.told += text.length
    if (this.told > this.house.bounds.maxBytes) return this.finish("slow_consumer")
    const block = this.form === "many" && this.seams.length > 0 ? SocketWriter.vectorBlock(this.seams) : ""
    const before = this.full ? this.socket.unsent() : 0
    const open = this.socket.writeText(text + block)
    // What is added to a full socket must not hide what its peer takes meanwhile.
    if (this.full) this.unsent += this.socket.unsent() - before
    this.wrote(open, this.house.now())
  }

  /** A page of the log, shared with others. */
  writePage(seam: LiveSeam, epoch: string, last: number, frames: Frames.Frames): void {
    const isGathered = this.form === "many"
    if (isGathered) this.socket.cork()
    let open = this.socket.write(frames)
    seam.wrote(epoch, last)
    if (isGathered) {
      open = this.socket.writeText(SocketWriter.vectorBlock(this.seams))
      this.socket.uncork()
    }
    this.wrote(open, this.house.now())
  }

  /** Its id is the place before what follows, so that a browser does not ask for the gap again. */
  writeGap(seam: LiveSeam, gap: ControlFrame.Gap): void {
    this.write(ControlFrame.gap(gap, this.form === "single" ? Cursor.format(seam.place) : undefined))
  }

  readSoon(): void {
    this.rouse()
  }

  sessionEnded(seam: LiveSeam, reason: "ended" | "deleted" | "failed"): void {
    if (reason === "failed") return this.finish("error", ControlFrame.bye({ reason: "error", retry: 1000 }))
    this.flush(this.house.now())
    const end = () => this.end(seam, reason)
    // Its last events wait for the socket: they come first.
    if (seam.mode === "live" && this.outgoing.count > 0) this.lastWords = [...this.lastWords, end]
    else end()
  }

  /** Decides the end; the fiber says farewell and closes. The first reason stands. */
  finish(reason: EndReason, farewell = ""): void {
    if (this.ending !== undefined) return
    this.ending = { reason, farewell }
    this.rouse()
  }

  /** The last step: farewell and end of the response, or the end of the socket when nothing more can be said. */
  close(isDefect: boolean): void {
    for (const seam of this.seams) seam.close()
    const { closed, ending } = this
    this.closed = true
    this.socket.onDrain = nothing
    if (closed) return
    this.socket.onClose = nothing
    if (isDefect || ending === undefined || ending.reason === "slow_consumer") return this.socket.destroy()
    if (ending.farewell !== "") this.socket.writeText(ending.farewell)
    this.socket.end()
  }

  died(cause: Cause.Cause<never>): void {
    this.death ??= cause
    this.rouse()
  }

  due(now: number, at: number): number {
    if (!this.isOpen || at !== this.dueAt) return Number.POSITIVE_INFINITY
    this.contained(() => {
      if (this.full && now - this.fullSince >= this.house.timing.stall) this.checkStall(now)
      if (!this.full && now - this.wroteAt >= this.house.timing.heartbeat) this.wrote(this.socket.write(heartbeat), now)
      if (now >= this.endsAt) this.finish("age", ControlFrame.bye({ reason: "age", retry: 0 }))
    })
    this.dueAt = this.nextDue(now)
    return this.dueAt
  }

  private nextDue(now: number): number {
    const next = this.full ? this.fullSince + this.house.timing.stall : this.wroteAt + this.house.timing.heartbeat
    return Math.max(Math.min(next, this.endsAt), now + 1)
  }

  /** A socket that took a byte since the last look is slow, not stalled. */
  private checkStall(now: number): void {
    const unsent = this.socket.unsent()
    if (unsent >= this.unsent) return this.finish("slow_consumer")
    this.unsent = unsent
    this.fullSince = now
  }

  private wrote(open: boolean, now: number): void {
    this.wroteAt = now
    if (open || this.full) return
    this.full = true
    this.fullSince = now
    this.unsent = this.socket.unsent()
    if (now + this.house.timing.stall >= this.dueAt) return
    this.dueAt = now + this.house.timing.stall
    this.house.schedule(this.dueAt, this)
  }

  private end(seam: LiveSeam, reason: "ended" | "deleted"): void {
    if (seam.mode === "ended") return
    seam.close()
    const frame = ControlFrame.end({ session: seam.actor.session, cursor: seam.cursor, reason })
    const left = this.seams.filter((other) => other !== seam)
    if (left.length === 0) return this.finish("ended", frame)
    this.write(frame)
    this.seams = left
  }

  private drained(): void {
    this.full = false
    this.told = 0
    this.flush(this.house.now())
    if (this.outgoing.count === 0 && this.lastWords.length > 0) {
      const { lastWords } = this
      this.lastWords = none
      for (const end of lastWords) end()
    }
    this.rouse()
  }

  /** The queue is full: what waits is dropped, and its sessions are read from the log at the client's own pace. */
  private fallBack(): void {
    this.outgoing.drop(this.outgoing.count)
    for (const seam of this.seams) {
      if (seam.mode !== "live") continue
      Metrics.logFallbacks.unsafeUpdate(1, [])
      seam.toLog()
    }
  }

  private rouse(): void {
    const { resume } = this
    if (resume === undefined) return
    const isLagging = !this.full && this.seams.some(({ mode }) => mode === "log")
    if (this.death === undefined && this.isOpen && !isLagging) return
    this.resume = undefined
    resume(this.death === undefined ? Effect.void : Effect.failCause(this.death))
  }

  private contained(step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.died(Cause.die(defect))
    }
  }
}
