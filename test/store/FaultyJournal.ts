import { Context, Effect, Layer } from "effect"
import type { StoreError } from "../../src/domain/SessionError.ts"
import { ConnectionJournal, type JournalChange } from "../../src/store/ConnectionJournal.ts"
import * as MemoryConnectionJournal from "../../src/store/memory/MemoryConnectionJournal.ts"
import type { Fault } from "../../src/testing/FaultyStore.ts"

export type Journal = typeof ConnectionJournal.Service

/** Tells the journal of the same layer when to misbehave, with the faults of `FaultyStore`. */
export class FaultyJournal extends Context.Tag("test/FaultyJournal")<
  FaultyJournal,
  {
    /** The next `times` calls of `step` meet `fault`; of `commit`, those with such a change. */
    readonly next: (
      step: keyof Journal,
      fault: Fault,
      options?: { readonly times?: number; readonly when?: (change: JournalChange) => boolean }
    ) => void
    /** Forgets every fault that was not met. */
    readonly heal: () => void
    /** The changes of each call of `commit`, in order. */
    readonly commits: ReadonlyArray<ReadonlyArray<JournalChange>>
    readonly calls: (step: keyof Journal) => number
    /** The one behind it, which never fails. */
    readonly sound: Journal
  }
>() {}

const make = (sound: Journal) => {
  let faults: Array<{
    step: keyof Journal
    fault: Fault
    left: number
    when: ((change: JournalChange) => boolean) | undefined
  }> = []
  const commits: Array<ReadonlyArray<JournalChange>> = []
  const steps: Array<keyof Journal> = []

  const meet = <A>(
    step: keyof Journal,
    call: Effect.Effect<A, StoreError>,
    changes: ReadonlyArray<JournalChange> = []
  ) =>
    Effect.suspend(() => {
      steps.push(step)
      const met = faults.find(
        (fault) => fault.left > 0 && fault.step === step && (fault.when === undefined || changes.some(fault.when))
      )
      if (met === undefined) return call
      met.left -= 1
      return met.fault.on(call)
    })

  const journal = ConnectionJournal.of({
    commit: (changes) => {
      commits.push(changes)
      return meet("commit", sound.commit(changes), changes)
    },
    orphan: (at) => meet("orphan", sound.orphan(at)),
    owed: (limit) => meet("owed", sound.owed(limit)),
    dead: (query) => meet("dead", sound.dead(query)),
    sweepDead: (cutoff) => meet("sweepDead", sound.sweepDead(cutoff))
  })

  const control = FaultyJournal.of({
    next: (step, fault, { times = 1, when } = {}) => {
      faults.push({ step, fault, when, left: times })
    },
    heal: () => {
      faults = []
    },
    commits,
    calls: (step) => steps.filter((called) => called === step).length,
    sound
  })
  return Context.make(ConnectionJournal, journal).pipe(Context.add(FaultyJournal, control))
}

/** In memory: a new one, or one that another server had before. */
export const layer = (former?: Journal): Layer.Layer<ConnectionJournal | FaultyJournal> =>
  Layer.effectContext(Effect.map(former === undefined ? MemoryConnectionJournal.make : Effect.succeed(former), make))
