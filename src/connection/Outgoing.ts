import type { Batch } from "../store/Batch.ts"
import * as Frames from "../store/Frames.ts"
import type { LiveSeam } from "./LiveSeam.ts"

export interface Bounds {
  readonly maxBatches: number
  readonly maxBytes: number
}

/** design §4, bounds. */
export const defaults: Bounds = { maxBatches: 256, maxBytes: 1024 * 1024 }

/** Slots that an idle connection keeps. */
const slots = 32

/**
 * What waits for a connection's socket: shared batches, by reference, with the seam that each came through.
 * Full: `push` refuses, the connection drops it all and reads the log instead.
 *
 * Two arrays of slots that are filled and emptied in place (hot path): pairs, or arrays made anew for each turn, are
 * 80 to 300 bytes of garbage per delivery.
 */
export class Outgoing {
  count = 0
  private bytes = 0
  private readonly bounds: Bounds
  private batches: Array<Batch | undefined> = []
  private seams: Array<LiveSeam | undefined> = []

  constructor(bounds: Bounds) {
    this.bounds = bounds
  }

  push(seam: LiveSeam, batch: Batch): boolean {
    const size = Frames.byteLength(batch.frames)
    const { count } = this
    if (count > 0 && (count >= this.bounds.maxBatches || this.bytes + size > this.bounds.maxBytes)) return false
    this.batches[count] = batch
    this.seams[count] = seam
    this.count = count + 1
    this.bytes += size
    return true
  }

  batch(index: number): Batch | undefined {
    return this.batches[index]
  }

  seam(index: number): LiveSeam | undefined {
    return this.seams[index]
  }

  /** Forgets the first `dropped`. */
  drop(dropped: number): void {
    const left = Math.max(this.count - dropped, 0)
    if (left === 0 && this.batches.length <= slots) {
      for (let i = 0; i < this.count; i++) {
        this.batches[i] = undefined
        this.seams[i] = undefined
      }
      this.bytes = 0
    } else {
      this.batches = this.batches.slice(dropped, this.count)
      this.seams = this.seams.slice(dropped, this.count)
      this.bytes = 0
      for (const batch of this.batches) if (batch !== undefined) this.bytes += Frames.byteLength(batch.frames)
    }
    this.count = left
  }
}
