import { Option } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import * as Piece from "../Piece.ts"
import type { MemoryLog } from "./MemoryLog.ts"

/** See `EventStore.expired`. The piece is counted over all sessions. */
export const expired = (
  logs: ReadonlyMap<SessionId, MemoryLog>,
  cutoff: number
): ReadonlyArray<{ readonly session: SessionId; readonly oldest: number }> => {
  const found: Array<{ readonly session: SessionId; readonly oldest: number }> = []
  let left = Piece.maxRows
  for (const [session, { oldest, rows }] of logs) {
    if (left === 0) break
    const end = rows.slice(0, left).findIndex((row) => row.at >= cutoff)
    const count = end < 0 ? Math.min(left, rows.length) : end
    const last = rows[count - 1]?.last
    if (last !== undefined) found.push({ session, oldest: Math.max(oldest, last + 1) })
    left -= count
  }
  return found
}

/** See `EventStore.sweep`. What was removed is free already: only receipts are left to go. */
export const sweep = (logs: Iterable<MemoryLog>, cutoff: number): boolean => {
  let left = Piece.maxRows
  for (const { receipts } of logs) {
    for (const [key, { at }] of receipts) {
      if (at >= cutoff) break
      if (left === 0) return true
      receipts.delete(key)
      left -= 1
    }
  }
  return false
}

/** See `EventStore.oldest`. */
export const oldest = (logs: Iterable<MemoryLog>) => {
  let event = Number.POSITIVE_INFINITY
  let receipt = Number.POSITIVE_INFINITY
  for (const { receipts, rows } of logs) {
    event = Math.min(event, rows[0]?.at ?? event)
    for (const { at } of receipts.values()) {
      receipt = Math.min(receipt, at)
      break
    }
  }
  const known = Option.liftPredicate((at: number) => at !== Number.POSITIVE_INFINITY)
  return { event: known(event), receipt: known(receipt) }
}
