import type { NewEvent } from "../domain/Event.ts"
import { InvalidRequest } from "../domain/SessionError.ts"

/** The most events that are retained. Each new connection is told all of them. */
export const maxKeys = 1000
/** Their keys, names and data together, in UTF-8. */
export const maxBytes = 4 * 1024 * 1024

/** What an event weighs. */
export const bytesOf = (key: string, { data, name }: NewEvent): number =>
  Buffer.byteLength(key) + Buffer.byteLength(name) + Buffer.byteLength(data)

/** Why a put is refused that would leave so many `keys` and `bytes`. */
export const problem = (keys: number, bytes: number): InvalidRequest | undefined => {
  if (keys > maxKeys) {
    return new InvalidRequest({
      field: "key",
      allowed: `must be one of the ${maxKeys} that are retained: delete one to make room`
    })
  }
  if (bytes > maxBytes) {
    return new InvalidRequest({ field: "data", allowed: `must leave all that is retained within ${maxBytes} bytes` })
  }
  return undefined
}
