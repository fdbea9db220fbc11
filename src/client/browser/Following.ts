import * as Backoff from "../../protocol/Backoff.ts"
import type { Decoded } from "../../protocol/FrameDecoder.ts"
import { Connection, type Outcome } from "./Connection.ts"
import * as Item from "./Item.ts"
import type { ItemQueue } from "./ItemQueue.ts"
import type { Gap } from "../core/Reader.ts"
import type { Step } from "../core/Readers.ts"
import type { Remote } from "./Remote.ts"
import type { StatusBoard } from "./Status.ts"
import { Pause } from "./Waiting.ts"
import type { Watched } from "./Watched.ts"

const backoff: Backoff.Backoff = { base: 500, max: 30_000 }

/** A server that asks for more is told by the timers' own bound: about 24 days, in milliseconds. */
const longestWait = 2 ** 31 - 1

/** The server refused the stream for good: 400, 401, 403 or 404. `code` is of the contract's table of errors. */
export class StreamRefused extends Error {
  override readonly name = "StreamRefused"
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface Options {
  readonly remote: Remote
  readonly watched: Watched
  readonly items: ItemQueue<Item.Item>
  readonly board: StatusBoard
  /** Hears the token of each connection at its hello, and `undefined` when it is over. */
  readonly onToken: (token: string | undefined) => void
  readonly history: (session: string, gap: Gap) => AsyncIterable<Item.HistoryPage>
}

/** Follows sessions over as many connections as it takes, one at a time, until all have ended, it is refused or closed. */
export class Following {
  private readonly options: Options
  private readonly pause: Pause
  private connection: Connection | undefined
  private isClosed = false
  /** Connects in a row that did not get as far as hello. */
  private failures = 0
  /** Milliseconds since 1970: the server asked not to come back sooner. */
  private notBefore = 0
  private reason = ""
  private farewell: string | undefined

  constructor(options: Options) {
    this.options = options
    this.pause = new Pause(options.remote.timers)
  }

  /** Never rejects. */
  async run(): Promise<"ended" | "failed" | "closed"> {
    const { board, items, onToken, watched } = this.options
    while (!this.isClosed) {
      const outcome = await this.connect()
      onToken(undefined)
      if (this.isClosed) break
      if (outcome.type === "refused") {
        const { code, message, status } = outcome
        board.set({ state: "failed", reason: message, status, code })
        items.end(new StreamRefused(status, code, message))
        return "failed"
      }
      if (outcome.type === "nothing") this.endAll()
      if (outcome.type === "nothing" || watched.isOver) {
        board.set({ state: "ended" })
        items.end()
        return "ended"
      }
      await this.wait(outcome)
    }
    return "closed"
  }

  /** Time may have stood still: a dead connection is given up now, and a wait is cut to what the server asked for. */
  hurry(): void {
    this.connection?.check()
    if (!this.pause.isOn) return
    const { board, remote } = this.options
    const nextTry = Math.max(this.notBefore, remote.timers.now())
    board.set({ state: "offline", reason: this.reason, nextTry })
    this.pause.move(nextTry)
  }

  close(): void {
    this.isClosed = true
    this.connection?.abort("closed")
    this.pause.end()
  }

  private async connect(): Promise<Outcome> {
    const { board, remote, watched } = this.options
    this.farewell = undefined
    const connection = new Connection({
      remote,
      ...watched.request(),
      patience: () => watched.patience,
      receive: (frames) => this.receive(frames)
    })
    this.connection = connection
    // Not before it can be closed: a listener of the status may do so.
    board.set({ state: "connecting" })
    const outcome = await connection.run()
    this.connection = undefined
    return outcome
  }

  private async receive(frames: ReadonlyArray<Decoded>): Promise<void> {
    const { board, items, watched } = this.options
    board.network(false) // bytes come, whatever the platform believes
    const told = watched.receive(frames)
    items.offer(told.flatMap((step) => this.itemsOf(step)))
    if (watched.isOver) return this.connection?.abort("every session has ended")
    if (board.status.state === "replaying" && watched.isLive) board.set({ state: "live" })
    await items.room()
  }

  private itemsOf({ session, step }: Step): ReadonlyArray<Item.Item> {
    if (session === undefined) {
      if (step._tag === "Hello") this.greeted(step.token)
      else this.farewell = `the server said goodbye (${step.reason})`
      return []
    }
    switch (step._tag) {
      case "Event":
        return [Item.event(session, step.epoch, step.event)]
      case "Gap":
        return [{ type: "gap", session, gap: step.gap, history: () => this.options.history(session, step.gap) }]
      case "Live":
        return [{ type: "live", session }]
      case "End":
        return [{ type: "end", session, reason: step.reason }]
      case "Owner":
        return [{ type: "owner", session }]
    }
  }

  private greeted(token: string): void {
    this.failures = 0
    this.options.board.set({ state: "replaying" })
    this.options.onToken(token)
  }

  private endAll(): void {
    const { items, watched } = this.options
    items.offer(watched.open.map((session) => ({ type: "end", session, reason: "ended" })))
    watched.end()
  }

  private async wait({ reason, retryAfter }: Extract<Outcome, { readonly type: "over" }>): Promise<void> {
    const { board, remote, watched } = this.options
    const now = remote.timers.now()
    const floor = Math.min(Math.max(watched.retry, retryAfter), longestWait)
    const nextTry = now + Backoff.delay(backoff, this.failures, remote.timers.random(), floor)
    this.failures += 1
    this.notBefore = now + floor
    this.reason = this.farewell ?? reason
    board.set({ state: "offline", reason: this.reason, nextTry })
    // A listener of the status may have closed it.
    if (!this.isClosed) await this.pause.until(nextTry)
  }
}
