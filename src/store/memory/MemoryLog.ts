import type { SessionState } from "../../domain/Session.ts"
import type { Receipt } from "../Batch.ts"
import type { BatchRow } from "../BatchRow.ts"
import type { StoredMessage } from "../Message.ts"
import * as Piece from "../Piece.ts"

/** The log of one session. `rows` stand in order and without holes; retention takes from the front. */
export interface MemoryLog {
  readonly epoch: string
  readonly createdAt: number
  readonly rows: Array<BatchRow>
  /** In the order of their commits. */
  readonly receipts: Map<string, { readonly receipt: Receipt; readonly at: number }>
  /** By the client's id, in the order of their events. */
  readonly messages: Map<string, StoredMessage>
  state: SessionState
  stateAt: number
  process: string | null
  oldest: number
  head: number
  updatedAt: number
}

export const make = (epoch: string, first: number, at: number): MemoryLog => ({
  epoch,
  createdAt: at,
  rows: [],
  receipts: new Map(),
  messages: new Map(),
  state: "CREATED",
  stateAt: at,
  process: null,
  oldest: first,
  head: first - 1,
  updatedAt: at
})

/** Where the first row stands that ends at `seq` or after it. */
const indexOf = (rows: ReadonlyArray<BatchRow>, seq: number): number => {
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((rows[middle]?.last ?? seq) < seq) low = middle + 1
    else high = middle
  }
  return low
}

/** The rows that hold events after `after`, pulled one by one. */
export function* ascending({ rows }: MemoryLog, after: number): Iterable<BatchRow> {
  for (let index = indexOf(rows, after + 1); index < rows.length; index++) {
    const row = rows[index]
    if (row !== undefined) yield row
  }
}

/** The rows that hold events before `before`, from the newest to the oldest. */
export function* descending({ rows }: MemoryLog, before: number): Iterable<BatchRow> {
  for (let index = Math.min(indexOf(rows, before - 1), rows.length - 1); index >= 0; index--) {
    const row = rows[index]
    if (row !== undefined) yield row
  }
}

/** See `EventStore.trim`. */
export const trim = (log: MemoryLog, oldest: number): boolean => {
  log.oldest = Math.min(Math.max(oldest, log.oldest), log.head + 1)
  const gone = indexOf(log.rows, log.oldest)
  log.rows.splice(0, Math.min(gone, Piece.maxRows))
  return gone > Piece.maxRows
}
