import { FastCheck as fc } from "effect"
import * as Commands from "./Commands.ts"
import { play } from "./Play.ts"
import type { Broken } from "./Promises.ts"
import type { Options } from "./World.ts"

export interface Search extends Options {
  /** Worlds to play. */
  readonly runs: number
  /** Of all of them together: each world has a seed of its own, drawn from this one. */
  readonly seed: number
  /** Of a former fault: only the world that it was found in is played. */
  readonly path?: string | undefined
  /** Looks for the shortest story that breaks the same; `false` where it is enough to know that there is one. */
  readonly shrinks?: boolean
}

/** A world in which a promise was broken. */
export interface Fault {
  readonly broken: Broken
  /** To see it again: `search({ runs, seed, path })`. */
  readonly seed: number
  readonly path: string
  /** Worlds that were played until it was found, this one among them. */
  readonly runs: number
  /** What happened, in lines. */
  readonly trace: ReadonlyArray<string>
}

/** Milliseconds of real time that are spent on a shorter story. */
const patience = 60_000

/** Plays worlds until a promise is broken. `undefined`: none was. */
export const search = ({ path, runs, seed, shrinks = true, ...options }: Search): Fault | undefined => {
  let played = 0
  let until = Number.POSITIVE_INFINITY
  const isKept = (own: number, story: Commands.Story): boolean => {
    if (until === Number.POSITIVE_INFINITY) played += 1
    else if (performance.now() > until) return true
    const { broken } = play(own, story, options)
    if (broken.length > 0 && until === Number.POSITIVE_INFINITY) until = performance.now() + patience
    return broken.length === 0
  }
  const found = fc.check(fc.property(fc.noShrink(fc.integer()), Commands.story, isKept), {
    numRuns: runs,
    seed,
    endOnFailure: !shrinks,
    ...(path === undefined ? {} : { path })
  })
  if (!found.failed || found.counterexample === null) return undefined
  const [own, story] = found.counterexample
  const { broken, trace } = play(own, story, { ...options, isTraced: true })
  return { broken, seed: found.seed, path: found.counterexamplePath ?? "", runs: played, trace }
}
