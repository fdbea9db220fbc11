import type { IncomingMessage, ServerResponse } from "node:http"
import * as ErrorResponse from "./ErrorResponse.ts"

export type Headers = Readonly<Record<string, string>>

/** A request on a hot route and its answer, once. One object instead of closures for each request. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Headers that go with every answer to this request. */
  readonly cors: Headers

  constructor(request: IncomingMessage, response: ServerResponse, cors: Headers) {
    this.request = request
    this.response = response
    this.cors = cors
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

  refuse(error: ErrorResponse.HttpError, more?: Headers): void {
    const { body, headers, status } = ErrorResponse.make(error)
    this.send(status, body, { ...headers, ...more })
  }
}
