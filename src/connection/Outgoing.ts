import type { Batch } from "../store/Batch.ts"
import * as Frames from "../store/Frames.ts"
import type { LiveSeam } from "./LiveSeam.ts"

export interface Bounds {
  readonly maxBatches: number
  readonly maxBytes: number
}

/** design §4, bounds. */
export const defaults: Bounds = { maxBatches: 256, maxBytes: 1024 * 1024 }

/**
 * What waits for a connection's socket: shared batches, by reference, with the seam that each came through.
 * Full: `push` refuses, the connection drops it all and reads the log instead. Two arrays, not one of pairs: no object
 * is made per event and connection.
 */
export class Outgoing {
  private readonly bounds: Bounds
  readonly batches: Array<Batch> = []
  readonly seams: Array<LiveSeam> = []
  bytes = 0

  constructor(bounds: Bounds) {
    this.bounds = bounds
  }

  push(seam: LiveSeam, batch: Batch): boolean {
    const size = Frames.byteLength(batch.frames)
    const count = this.batches.length
    if (count > 0 && (count >= this.bounds.maxBatches || this.bytes + size > this.bounds.maxBytes)) return false
    this.batches.push(batch)
    this.seams.push(seam)
    this.bytes += size
    return true
  }

  /** Forgets the first `count`. */
  drop(count: number): void {
    if (count >= this.batches.length) {
      this.batches.length = 0
      this.seams.length = 0
      this.bytes = 0
      return
    }
    for (const batch of this.batches.splice(0, count)) this.bytes -= Frames.byteLength(batch.frames)
    this.seams.splice(0, count)
  }
}
