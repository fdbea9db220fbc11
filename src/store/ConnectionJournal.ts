import { Context, type Effect } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { DisconnectReason } from "../domain/Connection.ts"
import type { StoreError } from "../domain/SessionError.ts"

/** A disconnect that the backend must hear of. `request` is the JSON text of `{ url, headers }` of its connect. */
export interface OwedDisconnect {
  readonly token: string
  readonly request: string
  readonly reason: DisconnectReason
  /** Epoch milliseconds. */
  readonly owedAt: number
}

/** An owed disconnect that was given up after `attempts`; `problem` is what the last one met. */
export interface DeadLetter extends OwedDisconnect {
  readonly attempts: number
  readonly problem: string
  readonly diedAt: number
}

/**
 * What becomes of a connection. Of a token that the journal does not know, all but `Connect` change nothing; the first
 * reason that is owed stands. Times in epoch milliseconds.
 */
export type JournalChange =
  /** Before the connect callback leaves: from now on the backend may have said yes. */
  | { readonly _tag: "Connect"; readonly token: string; readonly request: string }
  /** The backend said no, or has heard of the end. */
  | { readonly _tag: "Forget"; readonly token: string }
  | { readonly _tag: "Owe"; readonly token: string; readonly reason: DisconnectReason; readonly at: number }
  | {
      readonly _tag: "GiveUp"
      readonly token: string
      readonly attempts: number
      readonly problem: string
      readonly at: number
    }
  /** A dead letter is owed once more. */
  | { readonly _tag: "Revive"; readonly token: string; readonly at: number }

/**
 * Every connect that the backend may have accepted, until it has heard of the end (promise 7): open, then owed, then
 * forgotten or a dead letter. One server owns a journal.
 */
export class ConnectionJournal extends Context.Tag("sluice/store/ConnectionJournal")<
  ConnectionJournal,
  {
    /** Makes all changes durable, in their order, in one transaction, or none. */
    readonly commit: (changes: NonEmptyReadonlyArray<JournalChange>) => Effect.Effect<void, StoreError>

    /**
     * What a former process left open is owed from now on, with reason `error`: one small piece. True when more is left.
     * Called before this process journals its first connect.
     */
    readonly orphan: (at: number) => Effect.Effect<boolean, StoreError>

    /** The disconnects owed for the longest time (of equal ones, by token), at most `limit`. */
    readonly owed: (limit: number) => Effect.Effect<ReadonlyArray<OwedDisconnect>, StoreError>

    /** By token, those after `after`, at most `limit`. */
    readonly dead: (query: {
      readonly after?: string | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreError>

    /** Forgets one small piece of the dead letters that died before `cutoff`. True when more is left. */
    readonly sweepDead: (cutoff: number) => Effect.Effect<boolean, StoreError>
  }
>() {}
