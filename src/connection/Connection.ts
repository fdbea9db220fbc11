/**
 * The state of one stream and its synchronous steps (hot path). Its fiber is `ConnectionActor`; steps here are called by
 * session actors (offers), by the socket (drain, close) and by the deadlines, each contained: a defect ends this connection. Long, because every step
 * reads and writes the same state, which nobody else may.
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
import type { Flushed, House } from "./House.ts"
import type { Ear, LiveSeam } from "./LiveSeam.ts"
import { Lingering } from "./Lingering.ts"
import { Outgoing } from "./Outgoing.ts"
import { Pulse, type Terms } from "./Pulse.ts"
import type { Form } from "../session/LogReader.ts"
import * as SocketWriter from "./SocketWriter.ts"
import type { StreamSocket } from "./StreamSocket.ts"

/** How a stream ends: with a last frame for the client, if it can still hear one. */
export interface Ending {
  readonly reason: EndReason
  readonly farewell: string
}

const nothing = (): void => {}
const none: ReadonlyArray<never> = []
const heartbeat = Frames.fromText(Frame.heartbeat)

export class Connection implements Ear, Expiring, Flushed {
  readonly token: string
  readonly form: Form
  readonly socket: StreamSocket
  readonly house: House
  readonly terms: Terms
  /** Epoch milliseconds. */
  readonly openedAt: number
  /** Those that ended stay for the vector: who returns must not be told of them anew. */
  seams: ReadonlyArray<LiveSeam> = []
  /** The end was decided; nothing but the farewell is written from now on. */
  ending: Ending | undefined
  /** The socket is gone. */
  closed = false
  /** Its first frames were written, the retained events among them. */
  hasBegun = false
  isDirty = false
  private readonly outgoing: Outgoing
  private readonly pulse: Pulse
  private full = false
  /** What the full socket was told beside stored events, in writes and bytes: it has the bounds of the queue. */
  private told = 0
  private toldBytes = 0
  /** Seams that ended while their last events wait for the socket. */
  private lastWords: ReadonlyArray<() => void> = none
  private resume: ((step: Effect.Effect<void>) => void) | undefined
  private death: Cause.Cause<never> | undefined

  constructor(token: string, form: Form, socket: StreamSocket, house: House, terms: Terms) {
    this.token = token
    this.form = form
    this.socket = socket
    this.house = house
    this.terms = terms
    this.openedAt = house.now()
    this.outgoing = new Outgoing(house.bounds)
    this.pulse = new Pulse(house.timing, terms, this.openedAt)
    socket.onDrain = () => this.contained(() => this.drained())
    house.schedule(this.pulse.dueAt, this)
  }

  get isOver(): boolean {
    return this.closed
  }

  get isOpen(): boolean {
    return !this.closed && this.ending === undefined && this.death === undefined
  }

  /** Some of what it watches is read from the log. */
  get isReadingLog(): boolean {
    return this.seams.some(({ mode }) => mode === "log")
  }

  /** Batches, and other writes that a full socket took, which wait for it. */
  get writesWaiting(): number {
    return this.outgoing.count + this.told
  }

  /** Events of a session that were committed and not written: of the watch that has the most of them. */
  get lag(): number {
    let most = 0
    for (const { actor, mode, seq } of this.seams) if (mode !== "ended") most = Math.max(most, actor.head - seq)
    return most
  }

  /** The next seam to read the log for, or none while the socket is full. Seams take turns. */
  nextRead(): LiveSeam | undefined {
    if (this.full) return undefined
    const seam = this.seams.find(({ mode }) => mode === "log")
    if (seam !== undefined && this.seams.length > 1)
      this.seams = [...this.seams.filter((other) => other !== seam), seam]
    return seam
  }

  /** How its fiber ends once it is open no more: with the defect of a step, if there was one. */
  get verdict(): Effect.Effect<void> {
    return this.death === undefined ? Effect.void : Effect.failCause(this.death)
  }

  /** Parks the connection's fiber until it has something to do. Its interruption means that the client left. */
  park(): Effect.Effect<void> {
    return Effect.async((resume) => {
      this.resume = resume
      this.rouse()
    })
  }

  take(seam: LiveSeam, batch: Batch): void {
    if (!this.outgoing.push(seam, batch)) {
      // One commit may have more batches than the queue holds: a socket that has room takes them at once.
      this.flush(this.house.now())
      if (!this.outgoing.push(seam, batch)) return this.fallBack()
    }
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

  /** The response begins: its head leaves now, also when nothing is said yet. `shared` comes between the texts. */
  begin(before: string, shared: Frames.Frames | undefined, after: string): void {
    this.hasBegun = true
    if (shared !== undefined) return this.beginWith(before, shared, after)
    const text = before + after
    if (text === "") this.socket.begin()
    else this.write(text)
  }

  /** Text for this connection alone, after all that waits. */
  write(text: string): void {
    if (!this.isOpen || text === "") return
    this.flush(this.house.now())
    if (this.full && !this.admits(Buffer.byteLength(text))) return this.finish("slow_consumer")
    this.contained(() => this.said(() => this.socket.writeText(text + this.places)))
  }

  /**
   * What the backend sends, after all that waits. It is in no log, so what a full socket cannot take is refused: `full`.
   * `broken`: the socket failed in this write, and the connection ends of it.
   */
  send(frames: Frames.Frames): "written" | "full" | "closed" | "broken" {
    if (!this.isOpen || this.socket.isGone()) return "closed"
    this.flush(this.house.now())
    if (this.full && !this.admits(Frames.byteLength(frames))) return "full"
    this.contained(() => this.said(() => this.socket.write(frames)))
    return this.death === undefined ? "written" : "broken"
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
    if (reason === "failed") return this.dismiss("error", 1000)
    this.flush(this.house.now())
    // Its last events wait for the socket: they come first.
    if (seam.mode === "live" && this.outgoing.count > 0) {
      this.lastWords = [...this.lastWords, () => this.sessionEnded(seam, reason)]
      return
    }
    // What it has not got yet is in the log, and is read first; then this is called again.
    if (reason === "ended" && !seam.isOver) return seam.toLog()
    this.end(seam, reason)
  }

  /** Ends it, with a word to the client where it has control frames. `retry` in milliseconds. */
  dismiss(reason: ControlFrame.Bye["reason"], retry: number): void {
    this.finish(reason, this.terms.isControlled ? ControlFrame.bye({ reason, retry }) : "")
  }

  /** Decides the end; the fiber says farewell and closes. The first reason stands. */
  finish(reason: EndReason, farewell = ""): void {
    if (this.ending !== undefined) return
    this.ending = { reason, farewell }
    this.rouse()
  }

  /** The last step: farewell and end of the response, or the end of the socket when nothing more can be said. */
  close(isDefect: boolean): EndReason {
    for (const seam of this.seams) seam.close()
    const { closed, ending } = this
    this.closed = true
    this.socket.onDrain = nothing
    if (closed) return ending?.reason ?? "client_closed"
    this.socket.onClose = nothing
    if (isDefect || ending === undefined || ending.reason === "slow_consumer") {
      this.socket.destroy()
      return isDefect || ending === undefined ? "error" : ending.reason
    }
    const lingering = new Lingering(this.socket, this.house.timing.stall)
    if (ending.farewell !== "") this.socket.writeText(ending.farewell)
    this.socket.end()
    lingering.begin()
    if (!lingering.isOver) this.house.schedule(this.house.now() + this.house.timing.stall, lingering)
    return ending.reason
  }

  died(cause: Cause.Cause<never>): void {
    this.death ??= cause
    this.rouse()
  }

  due(now: number, at: number): number {
    const { pulse } = this
    if (!this.isOpen || at !== pulse.dueAt) return Number.POSITIVE_INFINITY
    this.contained(() => {
      if (pulse.isStalled(now, () => this.socket.unsent())) this.finish("slow_consumer")
      if (pulse.isBeatDue(now)) {
        pulse.beat(now)
        this.wrote(this.socket.write(heartbeat), now)
      }
      if (pulse.isOver(now)) this.dismiss(this.terms.endReason, 0)
    })
    return pulse.plan(now)
  }

  private beginWith(before: string, shared: Frames.Frames, after: string): void {
    if (!this.isOpen) return
    const { socket } = this
    this.contained(() =>
      this.said(() => {
        socket.cork()
        if (before !== "") socket.writeText(before)
        let open = socket.write(shared)
        const rest = after + this.places
        if (rest !== "") open = socket.writeText(rest)
        socket.uncork()
        return open
      })
    )
  }

  /**
   * Of a stream over several sessions; for `live` and `end`, which have data: there are clients that take no id without.
   */
  get vector(): string | undefined {
    return this.form === "many" ? SocketWriter.vector(this.seams) : undefined
  }

  /** The block that ends a write on a stream over several sessions. */
  private get places(): string {
    return this.form === "many" && this.seams.length > 0 ? SocketWriter.vectorBlock(this.seams) : ""
  }

  /** Room in what a full socket may be told. */
  private admits(bytes: number): boolean {
    const { maxBatches, maxBytes } = this.house.bounds
    if (this.told >= maxBatches || this.toldBytes + bytes > maxBytes) return false
    this.told += 1
    this.toldBytes += bytes
    return true
  }

  private said(write: () => boolean): void {
    const before = this.full ? this.socket.unsent() : 0
    const open = write()
    if (this.full) this.pulse.added(this.socket.unsent() - before)
    this.wrote(open, this.house.now())
  }

  private wrote(open: boolean, now: number): void {
    this.pulse.wrote(now)
    if (open || this.full) return
    this.full = true
    if (this.pulse.filled(now, this.socket.unsent())) this.house.schedule(this.pulse.dueAt, this)
  }

  private end(seam: LiveSeam, reason: "ended" | "deleted"): void {
    if (seam.mode === "ended") return
    seam.close()
    // The place of a log that is gone is none to come back to.
    const id = reason === "ended" ? this.vector : undefined
    const frame = ControlFrame.end({ session: seam.actor.session, cursor: seam.cursor, reason }, id)
    if (this.seams.every(({ mode }) => mode === "ended")) return this.finish("ended", frame)
    this.write(frame)
    if (reason === "deleted") this.seams = this.seams.filter((other) => other !== seam)
  }

  private drained(): void {
    this.full = false
    this.told = 0
    this.toldBytes = 0
    if (this.pulse.drained(this.house.now())) this.house.schedule(this.pulse.dueAt, this)
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
    if (this.isOpen && !isLagging) return
    this.resume = undefined
    resume(Effect.void)
  }

  private contained(step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.died(Cause.die(defect))
    }
  }
}
