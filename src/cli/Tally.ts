import { Clock, Effect } from "effect"
import type { Receipt } from "./Sending.ts"
import * as StandardOutput from "./StandardOutput.ts"

/** What a run of `append` has achieved so far. */
export interface Tally {
  readonly accepted: number
  /** Events on their way: whether they are stored is not known yet. */
  readonly onTheWay: number
  readonly first: string | undefined
  readonly last: string | undefined
}

export const empty: Tally = { accepted: 0, onTheWay: 0, first: undefined, last: undefined }

export const sent = (tally: Tally, events: number): Tally => ({ ...tally, onTheWay: events })

export const accepted = (tally: Tally, events: number, { epoch, first, last }: Receipt): Tally => ({
  accepted: tally.accepted + events,
  onTheWay: 0,
  first: tally.first ?? `${epoch}.${first}`,
  last: `${epoch}.${last}`
})

const count = (events: number): string => (events === 1 ? "1 event" : `${events} events`)

/** `300000 events accepted, k3x9.1 .. k3x9.300000` */
export const describe = ({ accepted, first, last, onTheWay }: Tally): string => {
  const range = first === undefined ? "" : `, ${first} .. ${last}`
  const open = onTheWay === 0 ? "" : `; not known whether ${count(onTheWay)} more were`
  return `${count(accepted)} accepted${range}${open}`
}

/** Milliseconds between two looks of the progress line. */
const interval = 100

/**
 * One line on standard error that is written anew, when it is a terminal. `show` costs nothing between two looks; `clear`
 * makes room for another line.
 */
export const progress = Effect.gen(function* () {
  const isTerminal = process.stderr.isTTY === true
  const start = yield* Clock.currentTimeMillis
  let shownAt = 0
  const show = (tally: Tally) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (!isTerminal || now - shownAt < interval) return Effect.void
      shownAt = now
      const rate = Math.round((tally.accepted * 1000) / Math.max(now - start, 1))
      return StandardOutput.rewrite(`${count(tally.accepted)}, ${rate}/s`)
    })
  const clear = isTerminal ? StandardOutput.rewrite("") : Effect.void
  return { show, clear }
})
