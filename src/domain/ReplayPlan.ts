import { Either } from "effect"
import * as Cursor from "../protocol/Cursor.ts"
import type { GapReason, Mode } from "../protocol/ControlFrame.ts"
import { InvalidRequest } from "./SessionError.ts"

/** A log as a reader finds it. `epoch` is `undefined` when the store does not know the session: head 0, oldest 1. */
export interface Log {
  readonly epoch: string | undefined
  readonly oldest: number
  readonly head: number
}

/** Where a reader says it is. */
export type Position =
  | { readonly _tag: "Head" }
  | { readonly _tag: "Start" }
  | { readonly _tag: "At"; readonly cursor: Cursor.Cursor }

export const head: Position = { _tag: "Head" }
export const start: Position = { _tag: "Start" }
export const at = (cursor: Cursor.Cursor): Position => ({ _tag: "At", cursor })

/** `cursor` decides before `from`; with neither the reader starts at the head (design §4). */
export const position = (
  cursor: string | undefined,
  from: string | undefined
): Either.Either<Position, InvalidRequest> => {
  if (cursor !== undefined) {
    const parsed = Cursor.parse(cursor)
    if (parsed !== undefined) return Either.right(at(parsed))
    return Either.left(new InvalidRequest({ field: "cursor", allowed: "must be EPOCH.SEQ" }))
  }
  if (from === undefined || from === "head") return Either.right(head)
  if (from === "start") return Either.right(start)
  return Either.left(new InvalidRequest({ field: "from", allowed: "must be start or head" }))
}

/** Events `after` < seq < `next` are not replayed. `missed` is null where the numbers of two logs cannot be compared. */
export interface Gap {
  readonly after: number
  readonly next: number
  readonly missed: number | null
  readonly reason: GapReason
}

/** Replay every event with seq > `after` up to the head, then live. A gap, if any, is told before. */
export interface ReplayPlan {
  readonly mode: Mode
  readonly after: number
  readonly gap: Gap | undefined
}

const newest = (log: Log, cap: number): number => Math.max(log.head - cap, log.oldest - 1, 0)

const behind = (log: Log, seq: number, cap: number, mode: Mode): ReplayPlan => {
  const after = Math.max(newest(log, cap), seq)
  if (after === seq) return { mode, after, gap: undefined }
  const reason = seq < log.oldest - 1 ? "retention" : "cap"
  return { mode, after, gap: { after: seq, next: after + 1, missed: after - seq, reason } }
}

/**
 * What one connect replays of one session: at most `cap` events, and at most one gap, with the first reason that applies
 * (epoch, ahead, retention, cap): the table of design §4.
 */
export const make = (log: Log, position: Position, cap: number): ReplayPlan => {
  if (position._tag === "Head") return { mode: "started", after: log.head, gap: undefined }
  if (position._tag === "Start") return behind(log, 0, cap, "started")
  const { epoch, seq } = position.cursor
  if (Cursor.isOrigin(position.cursor)) return behind(log, 0, cap, "resumed")
  if (epoch !== log.epoch) {
    const after = newest(log, cap)
    return { mode: "reset", after, gap: { after: 0, next: after + 1, missed: null, reason: "epoch" } }
  }
  if (seq > log.head) {
    const gap = { after: log.head, next: log.head + 1, missed: null, reason: "ahead" } as const
    return { mode: "reset", after: log.head, gap }
  }
  return behind(log, seq, cap, "resumed")
}
