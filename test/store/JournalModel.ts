import { FastCheck as fc } from "effect"
import { type DisconnectReason, disconnectReasons } from "../../src/domain/Connection.ts"
import type { DeadLetter, JournalChange, OwedDisconnect } from "../../src/store/ConnectionJournal.ts"

/** What happens to a journal: one commit, or a step over all tokens. */
export type Step =
  | { readonly _tag: "Commit"; readonly changes: ReadonlyArray<JournalChange> }
  | { readonly _tag: "Orphan"; readonly at: number }
  | { readonly _tag: "Sweep"; readonly cutoff: number }

export const tokens = ["a", "b", "c", "d"] as const

const token = fc.constantFrom(...tokens)
/** Few, so that many are equal. */
const at = fc.nat({ max: 5 })

const change: fc.Arbitrary<JournalChange> = fc.oneof(
  fc.record({ _tag: fc.constant("Connect" as const), token, request: fc.string() }),
  fc.record({ _tag: fc.constant("Forget" as const), token }),
  fc.record({ _tag: fc.constant("Owe" as const), token, reason: fc.constantFrom(...disconnectReasons), at }),
  fc.record({ _tag: fc.constant("GiveUp" as const), token, attempts: at, problem: fc.string(), at }),
  fc.record({ _tag: fc.constant("Revive" as const), token, at })
)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ _tag: fc.constant("Commit" as const), changes: fc.array(change, { maxLength: 8 }) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Orphan" as const), at }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Sweep" as const), cutoff: at }) }
)

export const history = fc.array(step, { maxLength: 30, size: "max" })

/** A connection, seen alone. */
interface State {
  readonly request: string
  readonly owed?: { readonly reason: DisconnectReason; readonly at: number }
  readonly died?: { readonly attempts: number; readonly problem: string; readonly at: number }
}

/** What a single connection hears of. */
type Heard = JournalChange | Exclude<Step, { readonly _tag: "Commit" }>

const next = (state: State | undefined, heard: Heard): State | undefined => {
  if (heard._tag === "Connect") return state ?? { request: heard.request }
  if (state === undefined || heard._tag === "Forget") return undefined
  const { died, owed, request } = state
  switch (heard._tag) {
    case "Owe":
      return owed ? state : { request, owed: { reason: heard.reason, at: heard.at } }
    case "Orphan":
      return owed ? state : { request, owed: { reason: "error", at: heard.at } }
    case "GiveUp":
      return owed && !died ? { request, owed, died: heard } : state
    case "Revive":
      return owed && died ? { request, owed: { reason: owed.reason, at: heard.at } } : state
    case "Sweep":
      return died && died.at < heard.cutoff ? undefined : state
  }
}

const stateOf = (token: string, steps: ReadonlyArray<Step>) =>
  steps
    .flatMap<Heard>((step) =>
      step._tag === "Commit" ? step.changes.filter((change) => change.token === token) : [step]
    )
    .reduce<State | undefined>(next, undefined)

/** What a journal must say after `steps`: what it owes, in order, and its dead letters. */
export const expected = (steps: ReadonlyArray<Step>) => {
  const owes: Array<OwedDisconnect> = []
  const letters: Array<DeadLetter> = []
  for (const token of tokens) {
    const state = stateOf(token, steps)
    if (state?.owed === undefined) continue
    const { died, owed, request } = state
    const disconnect = { token, request, reason: owed.reason, owedAt: owed.at }
    if (died === undefined) owes.push(disconnect)
    else letters.push({ ...disconnect, attempts: died.attempts, problem: died.problem, diedAt: died.at })
  }
  return { owes: owes.sort((a, b) => a.owedAt - b.owedAt), letters } // stable: of equal ones, the order of the tokens stays
}
