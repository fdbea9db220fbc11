import { Either } from "effect"
import type { Dispatcher } from "undici"
import {
  BackendRedirected,
  BackendRefused,
  BackendTimeout,
  BackendUnavailable,
  type CallbackError
} from "./Callbacks.ts"
import * as Problem from "../domain/Problem.ts"

/** The body of a 2xx answer; `undefined` when it had more bytes than are kept. */
export type Answer = string | undefined

/** What is kept of an answer (design §10); also what is read of a refusal's body, so that its socket can be used again. */
const maxAnswerBytes = 64 * 1024
/** How long a refusal's body may take after its head, in milliseconds of real time: nobody waits for it. */
const maxDrain = 1000

const brokenOff = new Error("the call was broken off")
const utf8 = new TextDecoder()

/** Whom a call tells that it needs a socket again, or none any more. */
export interface Owner {
  readonly again: (call: BackendCall) => void
  readonly left: () => void
}

/** One request on its way through undici (hot path: no promise, no fiber). */
export class BackendCall implements Dispatcher.DispatchHandler {
  readonly headers: Array<string>
  readonly body: string
  /** Called once, unless it is broken off before. Set by who waits. */
  onDone: (outcome: Either.Either<Answer, CallbackError>) => void = () => {}
  /** Nobody waits any more: told, or broken off. */
  isOver = false
  /** Written, perhaps in part: the backend may act on it. */
  private hasStarted = false
  private hasFailedUnsent = false
  private controller: Dispatcher.DispatchController | undefined
  private status = 0
  private bytes = 0
  private readonly chunks: Array<Buffer> = []
  private drain: NodeJS.Timeout | undefined
  private readonly owner: Owner

  constructor(headers: Array<string>, body: string, owner: Owner) {
    this.headers = headers
    this.body = body
    this.owner = owner
  }

  /** Takes it off its socket, or keeps it from ever being written. */
  breakOff(): void {
    this.isOver = true
    this.controller?.abort(brokenOff)
  }

  /** The time limit has come. `isReachable`: a socket to the backend could be had lately. */
  expire(isReachable: boolean): void {
    const mayHaveAccepted = this.hasStarted || isReachable
    const problem = "no connection within the time limit"
    this.tell(
      Either.left(mayHaveAccepted ? new BackendTimeout() : new BackendUnavailable({ mayHaveAccepted, problem }))
    )
    this.controller?.abort(brokenOff)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.isOver) controller.abort(brokenOff)
    else this.hasStarted = true
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _headers: unknown, reason = ""): void {
    if (status < 200) return
    this.status = status
    if (status < 300) return
    this.tell(Either.left(status < 400 ? new BackendRedirected({ status }) : new BackendRefused({ status, reason })))
    this.drain = setTimeout(() => controller.abort(brokenOff), maxDrain).unref()
  }

  /** More than is kept of a 2xx is read and dropped, in memory bounded and in time by the limit: the backend has said yes. */
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.bytes > maxAnswerBytes) {
      this.chunks.length = 0
      if (this.isOver) controller.abort(brokenOff)
    } else if (!this.isOver) this.chunks.push(chunk)
  }

  onResponseEnd(): void {
    this.tell(Either.right(this.bytes > maxAnswerBytes ? undefined : utf8.decode(Buffer.concat(this.chunks))))
    this.leave()
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.mayBeStale(error)) {
      this.hasFailedUnsent = true
      return this.owner.again(this)
    }
    const what = Problem.make(error)
    const when = this.status === 0 ? "no answer" : `broken off within its answer ${this.status}`
    const problem = this.hasStarted ? `${when}: ${what}` : what
    this.tell(Either.left(new BackendUnavailable({ mayHaveAccepted: this.hasStarted, problem })))
    this.leave()
  }

  /** An idle socket was reset before a byte of this was written to it: once, that is no failure of this call. */
  private mayBeStale(error: unknown): boolean {
    if (this.hasStarted || this.isOver || this.hasFailedUnsent) return false
    return error instanceof Error && "code" in error && error.code === "ECONNRESET"
  }

  private tell(outcome: Either.Either<Answer, CallbackError>): void {
    if (this.isOver) return
    this.isOver = true
    this.onDone(outcome)
  }

  private leave(): void {
    clearTimeout(this.drain)
    this.owner.left()
  }
}
