/** How a backend knows that a callback is ours: HMAC-SHA-256 over `TIMESTAMP.BODY` (contract §4). */
import { createHmac, timingSafeEqual } from "node:crypto"
import { Duration, Redacted } from "effect"

/** Seconds since 1970 at which the call left. */
export const timestampHeader = "X-Sluice-Timestamp"
/** `sha256=HEX`. */
export const signatureHeader = "X-Sluice-Signature"
/** The secret itself, for backends that cannot verify a signature. */
export const secretHeader = "X-SSE-Gateway-Secret"

/** How far the clocks of both sides may be apart, and how long a copied call is good for. */
export const defaultTolerance = Duration.minutes(5)

const digest = (secret: Redacted.Redacted, timestamp: string, body: string | Uint8Array): string =>
  createHmac("sha256", Redacted.value(secret)).update(`${timestamp}.`).update(body).digest("hex")

/** The value of the signature's header. */
export const sign = (secret: Redacted.Redacted, timestamp: string, body: string): string =>
  `sha256=${digest(secret, timestamp, body)}`

/** What a receiver has in hand. Headers that did not come are `undefined`. */
export interface Received {
  readonly secret: Redacted.Redacted
  readonly timestamp: string | undefined
  /** As it came: parsed and written again it has another signature. */
  readonly body: string | Uint8Array
  readonly signature: string | undefined
  /** Epoch milliseconds, as `Clock` has them. */
  readonly now: number
  readonly tolerance?: Duration.DurationInput
}

/** True when a holder of the secret has signed this body within `tolerance` of `now`. Takes the same time for every wrong signature. */
export const verify = ({
  body,
  now,
  secret,
  signature,
  timestamp,
  tolerance = defaultTolerance
}: Received): boolean => {
  const [, given] = /^sha256=([0-9a-f]{64})$/.exec(signature ?? "") ?? []
  if (given === undefined || timestamp === undefined || !/^[0-9]{1,12}$/.test(timestamp)) return false
  if (Math.abs(now - Number(timestamp) * 1000) > Duration.toMillis(tolerance)) return false
  return timingSafeEqual(Buffer.from(given, "hex"), Buffer.from(digest(secret, timestamp, body), "hex"))
}
