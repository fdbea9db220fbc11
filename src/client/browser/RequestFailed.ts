/**
 * The server refused, or a page of the history could not be had. `status` is of HTTP, 0 when no answer came; `code` of the
 * contract's table of errors, or `NO_ANSWER`.
 */
export class RequestFailed extends Error {
  override readonly name = "RequestFailed"
  readonly status: number
  readonly code: string

  constructor({ code, message, status }: Pick<RequestFailed, "status" | "code" | "message">) {
    super(message)
    this.status = status
    this.code = code
  }
}
