import { Data } from "effect"

/** No connection has this token or request id now. */
export class TokenNotFound extends Data.TaggedError("TokenNotFound") {}

/** Nothing is retained under this key. */
export class RetainedNotFound extends Data.TaggedError("RetainedNotFound")<{ readonly key: string }> {}

/** The socket failed while the event was written: its connection ends of it. */
export class WriteFailed extends Data.TaggedError("WriteFailed") {}

/**
 * The gateway gave no answer that settles it: unreachable, too late, or another one than the contract has. Whether the send
 * was written is not known. `problem` is one readable line for the log.
 */
export class GatewayUnavailable extends Data.TaggedError("GatewayUnavailable")<{ readonly problem: string }> {
  override get message(): string {
    return this.problem
  }
}

/** There is no `CALLBACK_URL`: nobody could accept a connect. */
export class GatewayNotConfigured extends Data.TaggedError("GatewayNotConfigured") {}

/** The server is about to stop: nothing new begins. */
export class ShuttingDown extends Data.TaggedError("ShuttingDown") {}

/** What is wrong with the body of a send, by the codes that backends know (contract §4). */
export class InvalidSend extends Data.TaggedError("InvalidSend")<{
  readonly code:
    | "INVALID_TOKEN_MISSING"
    | "INVALID_EVENT_TYPE"
    | "INVALID_EVENT_DATA_MISSING"
    | "INVALID_EVENT_NAME_TYPE"
    | "INVALID_CLOSE_TYPE"
  readonly allowed: string
}> {}
