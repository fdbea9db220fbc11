import { Data } from "effect"

/** The store's file cannot serve. Another start with the same file fails again until the operator has acted on `message`. */
export class StoreOpenError extends Data.TaggedError("StoreOpenError")<{
  readonly filename: string
  readonly message: string
  readonly cause?: unknown
}> {}

const why = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? `${cause.message}: ${why(cause.cause)}` : cause.message
}

/** `FILE cannot be opened: unable to open database file`; `what` is "cannot be opened", and `cause` any error. */
export const fromCause = (filename: string, what: string, cause: unknown): StoreOpenError =>
  new StoreOpenError({ filename, cause, message: `${filename} ${what}: ${why(cause)}` })
