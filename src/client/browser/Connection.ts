import * as FrameDecoder from "../../protocol/FrameDecoder.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as Remote from "./Remote.ts"
import { untilAborted } from "./Waiting.ts"

/** How a connection ended. */
export type Outcome =
  /** Come back, not sooner than after `retryAfter` milliseconds. */
  | { readonly type: "over"; readonly reason: string; readonly retryAfter: number }
  /** 204: there is nothing more. */
  | { readonly type: "nothing" }
  /** For good. */
  | { readonly type: "refused"; readonly status: number; readonly code: string; readonly message: string }

export interface Options {
  readonly remote: Remote.Remote
  readonly path: string
  readonly lastId: string | undefined
  /** Milliseconds without a byte after which it is dead; it may change with each piece. */
  readonly patience: () => number
  /** A piece of the stream. No more is read before it is done. */
  readonly receive: (frames: ReadonlyArray<FrameDecoder.Decoded>) => Promise<void>
}

const final = [400, 401, 403, 404]

const giveUp = (response: Response): void => {
  response.body?.cancel().catch(() => {})
}

/** One stream from its request to its end. Once it was aborted, nothing of it is heard any more, however late. */
export class Connection {
  private readonly options: Options
  private readonly controller = new AbortController()
  private why = "the connection was closed"
  /** Milliseconds since 1970. Only while bytes are waited for: a consumer may take its time. */
  private deadline: number | undefined

  constructor(options: Options) {
    this.options = options
  }

  /** Never rejects. */
  async run(): Promise<Outcome> {
    try {
      return await this.stream()
    } catch (failure) {
      const reason = this.controller.signal.aborted ? this.why : Remote.words(failure)
      return { type: "over", reason, retryAfter: 0 }
    } finally {
      this.controller.abort()
    }
  }

  abort(why: string): void {
    if (this.controller.signal.aborted) return
    this.why = why
    this.controller.abort()
  }

  /** Ends it if it was silent for too long: timers may have stood still. */
  check(): void {
    const { patience, remote } = this.options
    if (this.deadline === undefined || remote.timers.now() < this.deadline) return
    this.abort(`silent for ${patience() / 1000} s`)
  }

  private async stream(): Promise<Outcome> {
    const { lastId, path, receive, remote } = this.options
    const { signal } = this.controller
    signal.throwIfAborted()
    const headers = { accept: "text/event-stream", ...(lastId === undefined ? {} : { [Paths.lastEventId]: lastId }) }
    const asked = Remote.send(remote, path, { headers, signal })
    asked.then((response) => signal.aborted && giveUp(response)).catch(() => {})
    const response = await this.within(asked)
    const { body, status } = response
    if (status === 204) return { type: "nothing" }
    if (final.includes(status)) {
      const { code, message } = await this.within(Remote.read(response, remote.timers.now()))
      return { type: "refused", status, code, message }
    }
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false
    if (status !== 200 || !isStream || body === null) {
      giveUp(response)
      const reason = status === 200 ? "the answer is no event stream" : `the server answered ${status}`
      return { type: "over", reason, retryAfter: Remote.retryAfter(response.headers, remote.timers.now()) }
    }
    const reader = body.getReader()
    try {
      const frames = FrameDecoder.make()
      const text = new TextDecoder("utf-8", { ignoreBOM: true })
      for (;;) {
        const { done, value } = await this.within(reader.read())
        if (done) return { type: "over", reason: "the stream ended", retryAfter: 0 }
        await untilAborted(signal, receive(frames.feed(text.decode(value, { stream: true }))))
      }
    } finally {
      reader.cancel().catch(() => {})
    }
  }

  /** Waits for the peer, as long as it may be silent. */
  private async within<A>(promise: Promise<A>): Promise<A> {
    const { patience, remote } = this.options
    const millis = patience()
    this.deadline = remote.timers.now() + millis
    const cancel = remote.timers.after(millis, () => this.check())
    try {
      return await untilAborted(this.controller.signal, promise)
    } finally {
      cancel()
      this.deadline = undefined
    }
  }
}
