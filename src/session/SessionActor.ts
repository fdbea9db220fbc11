/**
 * One live session: the only writer of its log (hot path).
 *
 * Its mailbox is drained by the store writer's turn, which calls `prepare`, `committed` and `publish` synchronously; its
 * supervising fiber (`SessionRegistry`) stays parked and acts on its death only. Waking a fiber twice per append costs
 * 2 × 2 to 13 µs, more than all the work of an append here.
 */
import { Cause, type Effect, Either } from "effect"
import type { Log } from "../domain/ReplayPlan.ts"
import type { SessionId, SessionState } from "../domain/Session.ts"
import { Overloaded, SessionInterrupted, type StoreError } from "../domain/SessionError.ts"
import type { Batch, Standing } from "../store/Batch.ts"
import type { SessionRecord } from "../store/EventStore.ts"
import type { Source, StoreWriter } from "../store/StoreWriter.ts"
import * as Metrics from "../telemetry/Metrics.ts"
import { type Append, weigh } from "./Append.ts"
import * as Turn from "./Turn.ts"
import type { Watcher } from "./Watcher.ts"

export interface Options {
  /** Appends that wait in one session's mailbox, and their bytes. Full: `Overloaded` to the producer. */
  readonly maxAppends: number
  readonly maxBytes: number
  /** Events kept per session; `undefined` = all. */
  readonly retainEvents: number | undefined
}

/** What the actor tells its registry. */
export interface Supervisor {
  readonly died: (cause: Cause.Cause<never>) => void
  /** Events before `oldest` no longer count: the store may free them. */
  readonly trimmable: () => void
  /** The head moved, and somebody watches. */
  readonly advanced: () => void
  /** The session stands in another way than before; committed, and offered to the watchers. */
  readonly moved: () => void
  /** Events, and perhaps receipts, were committed at this time (epoch milliseconds). */
  readonly stored: (at: number) => void
  /** Nobody watches it, and nothing works for it, any more. */
  readonly rested: () => void
}

/** What works for the session, as far as its actor has to do with it. Its actor does not sleep meanwhile. */
export interface Worker {
  /** The session came into this state, as its log tells at `seq` or before, or is no more. */
  readonly stands: (state: SessionState | "gone", seq: number) => void
  /** Ends the work, and with it the session; done when the log says so. */
  readonly end: (reason: string) => Effect.Effect<void>
  /** A message was accepted. */
  readonly wake: () => void
}

/**
 * What an idle actor holds instead of arrays of its own. An empty array that waits for the next turn grows old meanwhile;
 * when it is dropped after that turn, it still holds all the young objects of its requests until a full collection:
 * 20 % of the time went to the collector, against 4 with this.
 */
const none: Array<never> = []

/** A defect of one watcher ends that one alone: the others are told, and the log goes on (promise 6). */
const contain = (watcher: Watcher, step: () => void): void => {
  try {
    step()
  } catch (defect) {
    watcher.died(Cause.die(defect))
  }
}

export class SessionActor implements Source {
  readonly session: SessionId
  epoch: string
  exists: boolean
  state: SessionState
  /** See `Standing`. */
  process: string | null
  worker: Worker | undefined
  oldest: number
  head: number
  createdAt: number
  /** Epoch milliseconds of the last commit, of the start, or of the moment when the last watcher left. */
  activeAt: number
  updatedAt: number
  readonly watchers: Set<Watcher> = new Set()
  supervisor: Supervisor | undefined
  private readonly writer: StoreWriter["Type"]
  private readonly options: Options
  private readonly now: () => number
  private mailbox: Array<Append> = none
  private mailboxBytes = 0
  private requested = false
  private running = true
  private taken: ReadonlyArray<Append> = none
  private takenBytes = 0
  private answers: ReadonlyArray<Turn.Answer> = none
  private batches: ReadonlyArray<Batch> = none
  private nextHead = 0
  private next: Standing | undefined

  constructor(
    session: SessionId,
    start: { readonly record: SessionRecord | undefined; readonly epoch: string; readonly now: () => number },
    writer: StoreWriter["Type"],
    options: Options
  ) {
    const { record } = start
    const now = start.now()
    this.now = start.now
    this.session = session
    this.writer = writer
    this.options = options
    this.exists = record !== undefined
    this.epoch = record?.epoch ?? start.epoch
    this.state = record?.state ?? "CREATED"
    this.process = record?.process ?? null
    this.head = record?.head ?? 0
    this.oldest = record?.oldest ?? 1
    this.createdAt = record?.createdAt ?? now
    this.updatedAt = record?.updatedAt ?? now
    this.activeAt = now
    this.moveOldest(this.oldest)
  }

  /** As a reader finds it. The epoch of a log that the store does not know yet is nobody's business. */
  get log(): Log {
    return { epoch: this.exists ? this.epoch : undefined, oldest: this.oldest, head: this.head }
  }

  /** Somebody watches it, or works for it. */
  get isEngaged(): boolean {
    return this.watchers.size > 0 || this.worker !== undefined
  }

  get isBusy(): boolean {
    return this.isEngaged || this.mailbox.length > 0 || this.taken.length > 0 || !this.running
  }

  /** Takes an append or refuses it at once; `done` is called after the commit. */
  append(append: Append): void {
    const bytes = weigh(append.events)
    if (this.mailbox.length >= this.options.maxAppends || this.mailboxBytes + bytes > this.options.maxBytes) {
      return append.done(Either.left(new Overloaded({ what: "session mailbox" })))
    }
    if (!this.writer.admit(bytes)) return append.done(Either.left(new Overloaded({ what: "store writer" })))
    if (this.mailbox.length === 0) this.mailbox = [append]
    else this.mailbox.push(append)
    this.mailboxBytes += bytes
    this.request()
  }

  watch(watcher: Watcher): void {
    this.watchers.add(watcher)
  }

  /** Its idle time begins when the last watcher has left. */
  unwatch(watcher: Watcher): void {
    if (!this.watchers.delete(watcher)) return
    this.activeAt = this.now()
    this.rest()
  }

  /** Nothing of this worker follows. */
  dismiss(worker: Worker): void {
    if (this.worker !== worker) return
    this.worker = undefined
    this.rest()
  }

  prepare(at: number): ReadonlyArray<Batch> {
    this.requested = false
    // Dead: its head may be behind the log's. What waits is asked for again by `restart`.
    if (!this.running) return none
    this.taken = this.mailbox
    this.takenBytes = this.mailboxBytes
    this.mailbox = none
    this.mailboxBytes = 0
    this.activeAt = at
    const { answers, batches, head, standing } = Turn.take(this, this.taken, at)
    this.answers = answers
    this.batches = batches
    this.nextHead = head
    this.next = standing
    return batches
  }

  committed(): void {
    const last = this.batches[this.batches.length - 1]
    if (last !== undefined) {
      if (!this.exists) this.createdAt = last.at
      this.exists = true
      this.updatedAt = last.at
      this.head = this.nextHead
      if (this.next !== undefined) {
        this.state = this.next.state
        this.process = this.next.process
      }
    }
    const { answers } = this
    Metrics.appends.unsafeUpdate(answers.length, [])
    this.giveBack()
    for (const { append, result } of answers) append.done(result)
  }

  publish(): void {
    const { batches } = this
    this.batches = none
    for (const batch of batches) {
      for (const watcher of this.watchers) {
        try {
          watcher.offer(batch)
        } catch (defect) {
          watcher.died(Cause.die(defect))
        }
      }
    }
    const last = batches[batches.length - 1]
    if (last !== undefined) {
      this.supervisor?.stored(last.at)
      this.moveOldest(this.oldest)
      if (this.watchers.size > 0) this.supervisor?.advanced()
    }
    if (this.next !== undefined) this.moved()
  }

  failed(error: StoreError): void {
    const { answers } = this
    this.batches = none
    this.next = undefined
    this.giveBack()
    // A conflict was judged by a head that the failed commit would have made: its producer gets the store's error too.
    for (const { append } of answers) append.done(Either.left(error))
  }

  /** The appends in hand are answered as unknown; the mailbox stays for the restart. */
  died(cause: Cause.Cause<never>): void {
    const { taken } = this
    this.running = false
    this.batches = none
    this.next = undefined
    this.giveBack()
    for (const append of taken) append.done(Either.left(new SessionInterrupted({ session: this.session })))
    this.supervisor?.died(cause)
  }

  /** Continues from what the store knows, after a death or a delete. */
  restart(record: SessionRecord | undefined, epoch: string): void {
    // What no longer counted stays so, also before the store has heard of it.
    const oldest = record?.epoch === this.epoch ? Math.max(record.oldest, this.oldest) : (record?.oldest ?? 1)
    this.exists = record !== undefined
    this.epoch = record?.epoch ?? epoch
    this.state = record?.state ?? "CREATED"
    this.process = record?.process ?? null
    this.head = record?.head ?? 0
    this.oldest = oldest
    this.moveOldest(oldest)
    this.running = true
    for (const watcher of Array.from(this.watchers)) contain(watcher, () => watcher.resync())
    this.moved()
    if (this.mailbox.length > 0) this.request()
  }

  /** For good: watchers and waiting producers are told. */
  stop(reason: "deleted" | "failed"): void {
    for (const watcher of Array.from(this.watchers)) contain(watcher, () => watcher.ended(reason))
    this.watchers.clear()
    this.worker?.stands("gone", this.head)
    this.rest()
    if (reason === "deleted") return
    this.running = false
    this.taken = this.mailbox
    this.takenBytes = this.mailboxBytes
    this.mailbox = none
    this.mailboxBytes = 0
    const { taken } = this
    this.giveBack()
    for (const append of taken) append.done(Either.left(new SessionInterrupted({ session: this.session })))
  }

  /** Events before `oldest`, or beyond the number to keep, no longer count. Never moves back. */
  moveOldest(oldest: number): void {
    const { retainEvents } = this.options
    const kept = retainEvents === undefined ? oldest : Math.max(oldest, this.head - retainEvents + 1)
    if (kept <= this.oldest) return
    this.oldest = kept
    this.supervisor?.trimmable()
  }

  /** Tells all whom its state concerns; those who have not read so far hear of the end from the log. */
  private moved(): void {
    this.next = undefined
    if (this.state === "ENDED") {
      for (const watcher of Array.from(this.watchers)) contain(watcher, () => watcher.ended("ended"))
    }
    this.worker?.stands(this.state, this.head)
    this.supervisor?.moved()
  }

  private rest(): void {
    if (!this.isEngaged) this.supervisor?.rested()
  }

  private request(): void {
    if (this.requested || !this.running) return
    this.requested = true
    this.writer.request(this)
  }

  private giveBack(): void {
    this.writer.release(this.taken.length, this.takenBytes)
    this.taken = none
    this.takenBytes = 0
    this.answers = none
  }
}
