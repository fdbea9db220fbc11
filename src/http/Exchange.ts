import type { IncomingMessage, ServerResponse } from "node:http"
import * as ErrorResponse from "./ErrorResponse.ts"

export type Headers = Readonly<Record<string, string>>

/** A request on a hot route and its answer, once. One object instead of closures for each request. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Headers that go with every answer to this request. */
  readonly cors: Headers

  private readonly onDefect: (defect: unknown) => void

  constructor(request: IncomingMessage, response: ServerResponse, cors: Headers, onDefect: (defect: unknown) => void) {
    this.request = request
    this.response = response
    this.cors = cors
    this.onDefect = onDefect
  }

  /** `body` is JSON text. */
  send(status: number, body: string, headers?: Headers): void {
    this.response.writeHead(status, {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
      ...headers,
      ...this.cors
    })
    this.response.end(body)
  }

  /** A status without a body. */
  empty(status: number): void {
    this.response.writeHead(status, this.cors)
    this.response.end()
  }

  /** A defect in a step ends this request alone: thrown from a callback of Node it would end the process (promise 6). */
  contain(step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.onDefect(defect)
      this.fail()
    }
  }

  /** What only a bug can cause. */
  fail(): void {
    if (this.response.headersSent) return void this.response.destroy()
    this.send(ErrorResponse.defect.status, ErrorResponse.defect.body)
  }

  refuse(error: ErrorResponse.HttpError, more?: Headers): void {
    const { body, headers, status } = ErrorResponse.make(error)
    this.send(status, body, { ...headers, ...more })
  }
}
