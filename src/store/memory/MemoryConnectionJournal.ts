import { Effect, Layer } from "effect"
import { ConnectionJournal, type DeadLetter, type JournalChange, type OwedDisconnect } from "../ConnectionJournal.ts"
import * as Piece from "../Piece.ts"

/** Each token is in one of them. */
interface Tokens {
  /** The request of each. */
  readonly open: Map<string, string>
  readonly owed: Map<string, OwedDisconnect>
  readonly dead: Map<string, DeadLetter>
}

const byToken = (a: OwedDisconnect, b: OwedDisconnect): number => (a.token < b.token ? -1 : 1)

const owe = ({ open, owed }: Tokens, token: string, reason: OwedDisconnect["reason"], owedAt: number): void => {
  const request = open.get(token)
  if (request === undefined) return
  open.delete(token)
  owed.set(token, { token, request, reason, owedAt })
}

const giveUp = ({ dead, owed }: Tokens, { at, attempts, problem, token }: JournalChange & { _tag: "GiveUp" }): void => {
  const disconnect = owed.get(token)
  if (disconnect === undefined) return
  owed.delete(token)
  dead.set(token, { ...disconnect, attempts, problem, diedAt: at })
}

const revive = ({ dead, owed }: Tokens, token: string, owedAt: number): void => {
  const letter = dead.get(token)
  if (letter === undefined) return
  dead.delete(token)
  owed.set(token, { token, request: letter.request, reason: letter.reason, owedAt })
}

const apply = (tokens: Tokens, change: JournalChange): void => {
  const { dead, open, owed } = tokens
  const { token } = change
  switch (change._tag) {
    case "Connect":
      if (!owed.has(token) && !dead.has(token) && !open.has(token)) open.set(token, change.request)
      return
    case "Forget":
      for (const some of [open, owed, dead]) some.delete(token)
      return
    case "Owe":
      return owe(tokens, token, change.reason, change.at)
    case "GiveUp":
      return giveUp(tokens, change)
    case "Revive":
      return revive(tokens, token, change.at)
  }
}

/** A journal that forgets everything with its process, as the memory store does. */
export const make = Effect.sync((): typeof ConnectionJournal.Service => {
  const tokens: Tokens = { open: new Map(), owed: new Map(), dead: new Map() }
  const { dead, open, owed } = tokens
  return ConnectionJournal.of({
    commit: (changes) =>
      Effect.sync(() => {
        for (const change of changes) apply(tokens, change)
      }),
    orphan: (at) =>
      Effect.sync(() => {
        for (const token of Array.from(open.keys()).slice(0, Piece.maxRows)) owe(tokens, token, "error", at)
        return open.size > 0
      }),
    owed: (limit) =>
      Effect.sync(() =>
        Array.from(owed.values())
          .sort((a, b) => a.owedAt - b.owedAt || byToken(a, b))
          .slice(0, limit)
      ),
    dead: ({ after = "", limit }) =>
      Effect.sync(() =>
        Array.from(dead.values())
          .filter(({ token }) => token > after)
          .sort(byToken)
          .slice(0, limit)
      ),
    sweepDead: (cutoff) =>
      Effect.sync(() => {
        const old = Array.from(dead.values()).filter(({ diedAt }) => diedAt < cutoff)
        for (const { token } of old.slice(0, Piece.maxRows)) dead.delete(token)
        return old.length > Piece.maxRows
      })
  })
})

export const layer: Layer.Layer<ConnectionJournal> = Layer.effect(ConnectionJournal, make)
