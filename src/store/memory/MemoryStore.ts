import { Effect, Layer, Option } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import type { Batch } from "../Batch.ts"
import * as BatchRow from "../BatchRow.ts"
import { EventStore, type SessionRecord } from "../EventStore.ts"
import { LogMismatch } from "../LogMismatch.ts"
import type { Stage, StoredMessage } from "../Message.ts"
import * as RowReader from "../RowReader.ts"
import * as MemoryLog from "./MemoryLog.ts"
import * as MemoryRetention from "./MemoryRetention.ts"

type Logs = Map<SessionId, MemoryLog.MemoryLog>

/** Before anything is stored, so that a commit is all or nothing. */
const firstMismatch = (logs: Logs, batches: ReadonlyArray<Batch>): Batch | undefined => {
  const planned = new Map<SessionId, Pick<MemoryLog.MemoryLog, "epoch" | "head">>()
  return batches.find(({ creates, epoch, first, last, session }) => {
    const known = planned.get(session) ?? logs.get(session)
    planned.set(session, { epoch, head: last })
    return creates ? known !== undefined : known?.epoch !== epoch || known.head + 1 !== first
  })
}

const isOpen = ({ stage }: StoredMessage): boolean => stage !== "done"

const stage = (log: MemoryLog.MemoryLog, id: string, stage: Stage): void => {
  const message = log.messages.get(id)
  if (message === undefined) return
  log.messages.set(id, { ...message, stage, data: stage === "done" ? "" : message.data })
}

const append = (logs: Logs, batch: Batch): void => {
  const { at, epoch, first, last, messages, receipts, session, settled, standing } = batch
  const log = logs.get(session) ?? MemoryLog.make(epoch, first, at)
  logs.set(session, log)
  log.rows.push(BatchRow.fromBatch(batch))
  log.head = last
  log.updatedAt = Math.max(log.updatedAt, at)
  for (const receipt of receipts) {
    log.receipts.delete(receipt.key)
    log.receipts.set(receipt.key, { receipt, at })
  }
  for (const message of messages) log.messages.set(message.id, { ...message, stage: "waiting" })
  for (const id of settled) stage(log, id, "done")
  if (standing === undefined) return
  if (standing.state !== log.state) log.stateAt = at
  log.state = standing.state
  log.process = standing.process
}

const record = (session: SessionId, log: MemoryLog.MemoryLog): SessionRecord => {
  const { createdAt, epoch, head, oldest, process, state, stateAt, updatedAt } = log
  return { session, epoch, state, oldest, head, createdAt, updatedAt, stateAt, process }
}

/** A store that forgets everything with its process: for tests and for logs that need not last. Bounded by retention alone. */
export const make = Effect.sync((): typeof EventStore.Service => {
  const logs: Logs = new Map()
  return EventStore.of({
    commit: (batches) =>
      Effect.suspend(() => {
        const mismatch = firstMismatch(logs, batches)
        if (mismatch !== undefined) return Effect.die(new LogMismatch(mismatch))
        for (const batch of batches) append(logs, batch)
        return Effect.void
      }),
    load: (session) =>
      Effect.sync(() => Option.map(Option.fromNullable(logs.get(session)), (log) => record(session, log))),
    list: ({ after = "", hasProcess, limit, state }) =>
      Effect.sync(() =>
        Array.from(logs, ([session, log]) => record(session, log))
          .filter((found) => found.session > after && (state === undefined || found.state === state))
          .filter(({ process }) => hasProcess === undefined || process !== null)
          .sort((a, b) => (a.session < b.session ? -1 : 1))
          .slice(0, limit)
      ),
    readPage: (session, after, limit) =>
      Effect.sync(() => {
        const log = logs.get(session)
        if (log === undefined) return Option.none()
        const from = Math.max(after, log.oldest - 1)
        return RowReader.page(MemoryLog.ascending(log, from), from, limit)
      }),
    readEvents: (session, range) =>
      Effect.sync(() => {
        const log = logs.get(session)
        if (log === undefined) return []
        const after = Math.max(range.after, log.oldest - 1)
        const rows = range.order === "asc" ? MemoryLog.ascending(log, after) : MemoryLog.descending(log, range.before)
        return RowReader.events(rows, { ...range, after })
      }),
    receipt: (session, key) => Effect.sync(() => Option.fromNullable(logs.get(session)?.receipts.get(key)?.receipt)),
    message: (session, id) => Effect.sync(() => Option.fromNullable(logs.get(session)?.messages.get(id))),
    openMessages: (session, limit) =>
      Effect.sync(() =>
        Array.from(logs.get(session)?.messages.values() ?? [])
          .filter(isOpen)
          .slice(0, limit)
      ),
    backlog: (session) =>
      Effect.sync(() => {
        const open = Array.from(logs.get(session)?.messages.values() ?? []).filter(isOpen)
        return { messages: open.length, bytes: open.reduce((bytes, { data }) => bytes + Buffer.byteLength(data), 0) }
      }),
    withOpenMessages: ({ after = "", limit }) =>
      Effect.sync(() =>
        Array.from(logs)
          .filter(([session, { messages }]) => session > after && Array.from(messages.values()).some(isOpen))
          .map(([session]) => session)
          .sort()
          .slice(0, limit)
      ),
    stage: (session, epoch, messages) =>
      Effect.sync(() => {
        const log = logs.get(session)
        if (log?.epoch === epoch) for (const message of messages) stage(log, message.id, message.stage)
      }),
    remove: (session) => Effect.sync(() => logs.delete(session)),
    trim: (session, oldest) =>
      Effect.sync(() => {
        const log = logs.get(session)
        return log !== undefined && MemoryLog.trim(log, oldest)
      }),
    expired: (cutoff) => Effect.sync(() => MemoryRetention.expired(logs, cutoff)),
    sweep: (cutoff) => Effect.sync(() => MemoryRetention.sweep(logs.values(), cutoff)),
    oldest: Effect.sync(() => MemoryRetention.oldest(logs.values())),
    check: Effect.void
  })
})

export const layer: Layer.Layer<EventStore> = Layer.effect(EventStore, make)
