import type { Deferred } from "effect"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import type { SendError } from "../gateway/Gateway.ts"

/** What waits for one connection at most, its data in UTF-16 units. More: it cannot keep up, and is closed (design §2, promise 3). */
const maxEvents = 100
const maxUnits = 256 * 1024

export interface Waiting {
  readonly event: BackendEvent
  readonly service: string | undefined
  /** Who waits for its outcome; false: the connection is gone. */
  readonly outcome: Deferred.Deferred<boolean, SendError> | undefined
}

export interface Identity {
  readonly requestId: string
  readonly token: string
  /** Path and query, as the client asked for them; `undefined` when it was learnt from the gateway after a restart. */
  readonly url: string | undefined
  /** Whom the application knows it as; of this connection alone, never of another one with the same request id (S141). */
  readonly subject: string | undefined
}

/** What is sent to one connection, in the order of the calls. */
export class Outbound {
  readonly identity: Identity
  /** A fiber sends what waits. */
  isSending = false
  /** Nothing reaches it any more. */
  isGone = false
  private readonly waiting: Array<Waiting> = []
  private units = 0

  constructor(identity: Identity) {
    this.identity = identity
  }

  /** False: it is gone, or this would be more than may wait. */
  push(item: Waiting): boolean {
    const size = item.event.data.length
    if (this.isGone || this.waiting.length >= maxEvents) return false
    if (this.waiting.length > 0 && this.units + size > maxUnits) return false
    this.waiting.push(item)
    this.units += size
    return true
  }

  shift(): Waiting | undefined {
    const first = this.waiting.shift()
    if (first !== undefined) this.units -= first.event.data.length
    return first
  }

  /** Nothing is sent from now on. What had waited. */
  abandon(): ReadonlyArray<Waiting> {
    this.isGone = true
    this.units = 0
    return this.waiting.splice(0)
  }
}
