import { Context, type Effect, type Option } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Event } from "../domain/Event.ts"
import type { SessionId, SessionState } from "../domain/Session.ts"
import type { StoreError } from "../domain/SessionError.ts"
import type { Batch, Receipt } from "./Batch.ts"
import type { Frames } from "./Frames.ts"
import type { Stage, StoredMessage } from "./Message.ts"

/** What the store knows of a session. `head` stays when retention has removed its event; times in epoch milliseconds. */
export interface SessionRecord {
  readonly session: SessionId
  readonly epoch: string
  readonly state: SessionState
  readonly oldest: number
  readonly head: number
  readonly createdAt: number
  readonly updatedAt: number
  /** When it came into its state. */
  readonly stateAt: number
  /** See `Standing` in `Batch`. */
  readonly process: string | null
}

/** A run of a log without holes. */
export interface Page {
  readonly first: number
  readonly last: number
  readonly frames: Frames
}

/** Both bounds are exclusive. */
export interface EventRange {
  readonly after: number
  readonly before: number
  /** At most so many events; fewer when they would be more than 4 MiB of data. Never none when there is one. */
  readonly limit: number
  readonly order: "asc" | "desc"
}

/** The durable log of every session. One server owns a store; one fiber, the store writer, calls what writes. */
export class EventStore extends Context.Tag("sluice/store/EventStore")<
  EventStore,
  {
    /**
     * Makes all batches durable in one transaction, or none. Success means durable (see `durability`).
     * A batch's `first` is its session's head + 1; several batches of one session stand in order.
     */
    readonly commit: (batches: NonEmptyReadonlyArray<Batch>) => Effect.Effect<void, StoreError>

    readonly load: (session: SessionId) => Effect.Effect<Option.Option<SessionRecord>, StoreError>

    /** By session id, those after `after`, at most `limit`; those in a state, or those that a process works for. */
    readonly list: (query: {
      readonly state?: SessionState | undefined
      readonly hasProcess?: true | undefined
      readonly after?: string | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<SessionRecord>, StoreError>

    /**
     * The frames that follow `after`, at most `limit` events or 256 KiB, but at least one event when there is one.
     * `first` is above `after + 1` when retention removed what lies between. None: nothing follows.
     */
    readonly readPage: (
      session: SessionId,
      after: number,
      limit: number
    ) => Effect.Effect<Option.Option<Page>, StoreError>

    /** The events of a range with their data exactly as sent. Of an unknown session: none. */
    readonly readEvents: (session: SessionId, range: EventRange) => Effect.Effect<ReadonlyArray<Event>, StoreError>

    /** The receipt of an idempotency key of this session's present log. */
    readonly receipt: (session: SessionId, key: string) => Effect.Effect<Option.Option<Receipt>, StoreError>

    /** A message of this session's present log, by the client's id; kept as long as the session. */
    readonly message: (session: SessionId, id: string) => Effect.Effect<Option.Option<StoredMessage>, StoreError>

    /** The messages of a session that are not done, in the order of their events, at most `limit`. */
    readonly openMessages: (
      session: SessionId,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StoredMessage>, StoreError>

    /** How many of them there are, and the bytes of their data. */
    readonly backlog: (
      session: SessionId
    ) => Effect.Effect<{ readonly messages: number; readonly bytes: number }, StoreError>

    /** The sessions that have such messages, by id, those after `after`, at most `limit`. */
    readonly withOpenMessages: (query: {
      readonly after?: string | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<SessionId>, StoreError>

    /** Records, durably, how far messages of a log are. Of a log, or a message, that is not known: nothing. */
    readonly stage: (
      session: SessionId,
      epoch: string,
      messages: ReadonlyArray<{ readonly id: string; readonly stage: Stage }>
    ) => Effect.Effect<void, StoreError>

    /** Forgets the session and its log; the disk space is freed by `sweep`. False when it was not known. */
    readonly remove: (session: SessionId) => Effect.Effect<boolean, StoreError>

    /** Records that events before `oldest` are gone, and frees one small piece of them. True when more is left to free. */
    readonly trim: (session: SessionId, oldest: number) => Effect.Effect<boolean, StoreError>

    /**
     * Looks at one small piece of the oldest events of all sessions: for each session, the lowest `seq` that must stay
     * when events committed before `cutoff` (epoch milliseconds) go.
     */
    readonly expired: (
      cutoff: number
    ) => Effect.Effect<ReadonlyArray<{ readonly session: SessionId; readonly oldest: number }>, StoreError>

    /** Frees one small piece of removed sessions and of receipts older than `cutoff`. True when more is left. */
    readonly sweep: (cutoff: number) => Effect.Effect<boolean, StoreError>

    /** When the oldest event, and the oldest receipt, that is still stored was committed (epoch milliseconds). Cheap. */
    readonly oldest: Effect.Effect<
      { readonly event: Option.Option<number>; readonly receipt: Option.Option<number> },
      StoreError
    >

    /** Succeeds when the store can be written now: it writes something small. Readiness asks it. */
    readonly check: Effect.Effect<void, StoreError>
  }
>() {}
