import { StringDecoder } from "node:string_decoder"
import { Effect } from "effect"
import type { StreamSocket } from "../connection/StreamSocket.ts"
import * as FrameDecoder from "../protocol/FrameDecoder.ts"
import * as Frames from "../store/Frames.ts"
import type { StreamEvent } from "./StreamClient.ts"

export interface Options {
  /** Bytes that wait for a client that does not read, at which the socket calls itself full. Node's own: 16 KiB. */
  readonly highWaterMark?: number
}

const nothing = (): void => {}

/**
 * Both ends of a stream without a network: the server writes to it as a `StreamSocket`, the test plays the client. A client
 * reads at once, unless `pause` was called. All happens synchronously, and what was written is kept without bound.
 */
export class TestSocket implements StreamSocket {
  onDrain: () => void = nothing
  onClose: () => void = nothing
  /** The text that the client has taken. */
  received = ""
  /** What a browser would report of it, control frames included, in order. */
  readonly events: Array<StreamEvent> = []
  readonly comments: Array<string> = []
  /** `retry:` fields, in milliseconds. */
  readonly retries: Array<number> = []
  /** Every write as text, in order, whether the client took it or not. What is written between `cork` and `uncork` is one. */
  readonly writes: Array<string> = []
  /** The shared buffers that were written, by reference. */
  readonly frames: Array<Frames.Frames> = []
  /** Writes that were refused by `breakWhen`, or came when nothing may be written any more: after `end` or the close. */
  brokenWrites = 0
  lateWrites = 0
  /** The head of the response has left, by itself or before the first write. */
  isBegun = false
  /** The server ended the response properly; cut it off. */
  isEnded = false
  isDestroyed = false
  /** The socket is gone, whoever ended it. */
  isClosed = false
  private readonly highWaterMark: number
  private readonly decoder = FrameDecoder.make()
  private readonly utf8 = new StringDecoder("utf8")
  private readonly attempts = new Set<() => void>()
  private waiting: Array<Buffer> = []
  private waitingBytes = 0
  private corked: string | undefined
  private isPaused = false
  private needsDrain = false
  private breaks: (text: string) => boolean = () => false

  constructor(options: Options = {}) {
    this.highWaterMark = options.highWaterMark ?? 16_384
  }

  begin(): void {
    this.isBegun = true
    this.changed()
  }

  write(frames: Frames.Frames): boolean {
    const bytes = Frames.bytes(frames)
    const text = bytes.toString()
    if (!this.accepts(text)) return false
    this.frames.push(frames)
    return this.push(text, bytes)
  }

  writeText(text: string): boolean {
    return this.accepts(text) && this.push(text, Buffer.from(text))
  }

  cork(): void {
    this.corked ??= ""
  }

  uncork(): void {
    const { corked } = this
    this.corked = undefined
    if (corked) this.writes.push(corked)
  }

  unsent(): number {
    return this.waitingBytes
  }

  isGone(): boolean {
    return this.isEnded || this.isClosed
  }

  end(): void {
    this.isEnded = true
    if (this.waitingBytes === 0) this.close()
    this.changed()
  }

  destroy(): void {
    this.isDestroyed = true
    this.close()
  }

  /** The client stops to read: what is written waits from now on, and at the high-water mark the socket is full. */
  pause(): void {
    this.isPaused = true
  }

  /** The client takes what waits, all of it or the first `bytes`. A full socket drains when nothing is left. */
  take(bytes = this.waitingBytes): void {
    let left = bytes
    while (left > 0) {
      const first = this.waiting.shift()
      if (first === undefined) break
      if (first.length > left) this.waiting.unshift(first.subarray(left))
      this.waitingBytes -= Math.min(left, first.length)
      this.deliver(first.subarray(0, left))
      left -= first.length
    }
    if (this.waitingBytes > 0 || this.isClosed) return
    if (this.isEnded) return this.close()
    if (!this.needsDrain) return
    this.needsDrain = false
    this.onDrain()
  }

  /** The client takes all that waits and reads at once again. */
  resume(): void {
    this.isPaused = false
    this.take()
  }

  /** The socket goes away: the client left, or all was said. What waits is lost. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.waiting = []
    this.waitingBytes = 0
    this.onClose()
    this.changed()
  }

  /** From now on a write whose text is such a one throws, as a socket never should. */
  breakWhen(isSuch: (text: string) => boolean = () => true): void {
    this.breaks = isSuch
  }

  /** What a browser would send as `Last-Event-ID` now. */
  get lastId(): string {
    return this.decoder.lastId()
  }

  /** The events of producers. */
  get messages(): ReadonlyArray<StreamEvent> {
    return this.events.filter(({ name }) => !name.startsWith("sluice."))
  }

  /** What control frames of a name, such as `hello`, said. */
  told(name: string): ReadonlyArray<unknown> {
    return this.events
      .filter((event) => event.name === `sluice.${name}`)
      .map((event): unknown => JSON.parse(event.data))
  }

  /** Waits until the client's view is as wanted. It is asked again whenever that changes. */
  until(isEnough: (socket: TestSocket) => boolean): Effect.Effect<void> {
    return Effect.async((resume) => {
      const attempt = () => {
        if (!isEnough(this)) return
        this.attempts.delete(attempt)
        resume(Effect.void)
      }
      this.attempts.add(attempt)
      attempt()
      return Effect.sync(() => this.attempts.delete(attempt))
    })
  }

  /** Waits for the `count`th event of this name, such as `message` or `sluice.live`. */
  named(name: string, count = 1): Effect.Effect<void> {
    return this.until(({ events }) => events.filter((event) => event.name === name).length >= count)
  }

  /** Waits until the socket is gone. */
  get closed(): Effect.Effect<void> {
    return this.until(({ isClosed }) => isClosed)
  }

  private accepts(text: string): boolean {
    this.isBegun = true
    if (this.isEnded || this.isClosed) {
      this.lateWrites += 1
      return false
    }
    if (!this.breaks(text)) return true
    this.brokenWrites += 1
    throw new Error("this socket is broken")
  }

  private push(text: string, bytes: Buffer): boolean {
    if (this.corked === undefined) this.writes.push(text)
    else this.corked += text
    if (!this.isPaused) {
      this.deliver(bytes)
      return true
    }
    this.waiting.push(bytes)
    this.waitingBytes += bytes.length
    if (this.waitingBytes >= this.highWaterMark) this.needsDrain = true
    return !this.needsDrain
  }

  private deliver(bytes: Buffer): void {
    const text = this.utf8.write(bytes)
    this.received += text
    for (const decoded of this.decoder.feed(text)) {
      if (decoded._tag === "Event") this.events.push(decoded)
      else if (decoded._tag === "Comment") this.comments.push(decoded.text)
      else this.retries.push(decoded.millis)
    }
    this.changed()
  }

  private changed(): void {
    for (const attempt of this.attempts) attempt()
  }
}
