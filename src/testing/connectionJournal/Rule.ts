import * as assert from "node:assert/strict"
import { Effect } from "effect"
import type { StoreError } from "../../domain/SessionError.ts"
import {
  ConnectionJournal,
  type DeadLetter,
  type JournalChange,
  type OwedDisconnect
} from "../../store/ConnectionJournal.ts"

export type Journal = typeof ConnectionJournal.Service

/** One thing that every journal does. `holds` begins with an empty journal and dies when it does otherwise. */
export interface Rule {
  readonly says: string
  readonly holds: Effect.Effect<void, StoreError, ConnectionJournal>
}

export const rule = (says: string, holds: (journal: Journal) => Effect.Effect<void, StoreError>): Rule => ({
  says,
  holds: Effect.flatMap(ConnectionJournal, holds)
})

const requestOf = (token: string) => JSON.stringify({ url: `/sse/${token}`, headers: { "x-ü": "😀" } })

export const connect = (token: string): JournalChange => ({ _tag: "Connect", token, request: requestOf(token) })
export const forget = (token: string): JournalChange => ({ _tag: "Forget", token })
export const owe = (token: string, at: number, reason: OwedDisconnect["reason"] = "client_closed"): JournalChange => ({
  _tag: "Owe",
  token,
  reason,
  at
})
export const giveUp = (token: string, at: number, attempts = 3): JournalChange => ({
  _tag: "GiveUp",
  token,
  attempts,
  problem: `after ${attempts} tries`,
  at
})
export const revive = (token: string, at: number): JournalChange => ({ _tag: "Revive", token, at })

export const owed = (
  token: string,
  owedAt: number,
  reason: OwedDisconnect["reason"] = "client_closed"
): OwedDisconnect => ({
  token,
  request: requestOf(token),
  reason,
  owedAt
})

export const dead = (token: string, owedAt: number, diedAt: number, attempts = 3): DeadLetter => ({
  ...owed(token, owedAt),
  attempts,
  problem: `after ${attempts} tries`,
  diedAt
})

/** Asserts all that the journal owes and all that is dead. */
export const expect = (
  journal: Journal,
  owes: ReadonlyArray<OwedDisconnect>,
  letters: ReadonlyArray<DeadLetter> = []
) =>
  Effect.gen(function* () {
    assert.deepEqual(yield* journal.owed(1000), owes)
    assert.deepEqual(yield* journal.dead({ limit: 1000 }), letters)
  })

export const numbered = (count: number, prefix = "") =>
  Array.from({ length: count }, (_, index) => `${prefix}${`${index}`.padStart(5, "0")}`)

export const commitAll = (journal: Journal, [first, ...rest]: ReadonlyArray<JournalChange>) =>
  first === undefined ? Effect.void : journal.commit([first, ...rest])

/** The pieces, each of at most 1,000 as `count` counts, that `step` needs until there is no more. */
export const pieces = (step: Effect.Effect<boolean, StoreError>, count: Effect.Effect<number, StoreError>) =>
  Effect.gen(function* () {
    const counts = [yield* count]
    for (let more = true; more; ) {
      more = yield* step
      counts.push(yield* count)
      assert.ok(counts.length < 100, "there is always more left")
    }
    for (const [index, after] of counts.slice(1).entries()) {
      assert.ok(Math.abs(after - (counts[index] ?? 0)) <= 1000, "a piece is too large")
    }
    return counts.length - 1
  })
