/**
 * What waits for a connection becomes one write (hot path): the shared buffers of all its batches, corked.
 * Per delivery: a filter by cursor and one `socket.write`, no promise, no fiber, no copy.
 */
import type { Batch } from "../store/Batch.ts"
import * as StoredBatch from "../store/Batch.ts"
import * as Frame from "../protocol/Frame.ts"
import * as VectorCursor from "../protocol/VectorCursor.ts"
import * as Frames from "../store/Frames.ts"
import type { LiveSeam } from "./LiveSeam.ts"
import type { Form } from "../session/LogReader.ts"
import type { Outgoing } from "./Outgoing.ts"
import type { StreamSocket } from "./StreamSocket.ts"

/** Wrapped once per batch for all connections over several sessions. */
const wrappedBatches = new WeakMap<Batch, Frames.Frames>()

const wrapped = (batch: Batch): Frames.Frames => {
  const known = wrappedBatches.get(batch)
  if (known !== undefined) return known
  const frames = StoredBatch.wrap(batch, batch.events)
  wrappedBatches.set(batch, frames)
  return frames
}

const framesAfter = (form: Form, batch: Batch, seq: number): Frames.Frames => {
  const skip = seq - batch.first + 1
  if (form === "many") {
    return skip <= 0 ? wrapped(batch) : StoredBatch.wrap({ ...batch, first: seq + 1 }, batch.events.slice(skip))
  }
  if (skip <= 0) return batch.frames
  const bytes = Frames.bytes(batch.frames)
  return Frames.concat([bytes.subarray(Frame.offsetAfter(bytes, skip))])
}

/** Where a reader of several sessions is now. */
export const vector = (seams: ReadonlyArray<LiveSeam>): string =>
  VectorCursor.joinEntries(seams.map((seam) => seam.vectorEntry))

export const vectorBlock = (seams: ReadonlyArray<LiveSeam>): string => Frame.idOnly(vector(seams))

/**
 * Writes what waits, until the socket is full. True while it is not. Batches at or before a seam's cursor are dropped; one
 * that does not follow it sends the seam to the log, which has the events between.
 */
export const flush = (
  form: Form,
  outgoing: Outgoing,
  seams: ReadonlyArray<LiveSeam>,
  socket: StreamSocket
): boolean => {
  const { count } = outgoing
  const isGathered = count > 1 || form === "many"
  let done = 0
  let open = true
  let wrote = false
  if (isGathered) socket.cork()
  while (open && done < count) {
    const batch = outgoing.batch(done)
    const seam = outgoing.seam(done)
    done += 1
    if (batch === undefined || seam === undefined || seam.mode !== "live" || batch.last <= seam.seq) continue
    if (batch.first > seam.seq + 1) {
      seam.toLog()
      continue
    }
    open = socket.write(framesAfter(form, batch, seam.seq))
    seam.wrote(batch.epoch, batch.last)
    wrote = true
  }
  outgoing.drop(done)
  if (form === "many" && wrote) open = socket.writeText(vectorBlock(seams))
  if (isGathered) socket.uncork()
  return open
}
