import { Context, Effect, Exit } from "effect"
import { StoreError } from "../../domain/SessionError.ts"
import type { Batch } from "../../store/Batch.ts"
import { ConnectionJournal } from "../../store/ConnectionJournal.ts"
import { EventStore } from "../../store/EventStore.ts"
import * as MemoryConnectionJournal from "../../store/memory/MemoryConnectionJournal.ts"
import * as MemoryRetainedStore from "../../store/memory/MemoryRetainedStore.ts"
import * as MemoryStore from "../../store/memory/MemoryStore.ts"
import { RetainedStore } from "../../store/RetainedStore.ts"
import type { Chance } from "./Chance.ts"
import type { SeededScheduler } from "./SeededScheduler.ts"

interface Engines {
  readonly events: typeof EventStore.Service
  readonly journal: typeof ConnectionJournal.Service
  readonly retained: typeof RetainedStore.Service
}

interface Write {
  readonly name: string
  readonly apply: (engines: Engines) => Effect.Effect<unknown, unknown>
  readonly batches: ReadonlyArray<Batch>
}

const fresh: Effect.Effect<Engines> = Effect.all({
  events: MemoryStore.make,
  journal: MemoryConnectionJournal.make,
  retained: MemoryRetainedStore.make
})

/** Events: a short log has many pages. */
const smallPage = 3

/**
 * What outlives a process: the three stores in one file. A write is applied, and synced some time later; only then is it answered.
 * A crash takes what was not synced, or a part of it, from the end.
 */
export class SimulatedDisk {
  /** Hears of every write, sync and refusal. */
  onChange: (line: string) => void = () => {}
  private engines: Engines = Effect.runSync(fresh)
  private writes: Array<Write> = []
  private synced = 0
  /** Writes that were refused so far. */
  refused = 0
  private refusals = 0
  private readonly chance: Chance

  constructor(chance: Chance) {
    this.chance = chance
  }

  /** The next `count` writes are refused, and nothing of them is done. */
  refuse(count: number): void {
    this.refusals = count
  }

  /** Power goes. Of `unsynced` writes as many are kept as `kept` says, from 0 (none) to 1 (all). */
  crash(kept: number): void {
    const left = this.synced + Math.floor((this.writes.length - this.synced) * kept)
    this.onChange(`disk keeps ${left} of ${this.writes.length} writes, ${this.synced} were synced`)
    this.writes = this.writes.slice(0, left)
    this.synced = left
    this.engines = Effect.runSync(fresh)
    for (const { apply } of this.writes) Effect.runSyncExit(apply(this.engines))
  }

  /** Every batch that a crash now would leave, in the order of the commits: retention takes none of them. */
  get durable(): ReadonlyArray<Batch> {
    return this.writes.slice(0, this.synced).flatMap(({ batches }) => batches)
  }

  /** What a store would answer now, beside the schedule. */
  get now(): Engines {
    return this.engines
  }

  /** The stores, as the process of `scheduler` sees them until it dies. */
  ports(scheduler: SeededScheduler): Context.Context<EventStore | ConnectionJournal | RetainedStore> {
    const turn: Effect.Effect<void> = Effect.async((resume) => scheduler.arrive(() => resume(Effect.void)))

    /** At once as SQLite does it, or after a while, or with an answer that grows old meanwhile. */
    const read = <A, E>(of: (engines: Engines) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const way = this.chance.below(4)
        const answer = Effect.suspend(() => of(this.engines))
        if (way === 0) return Effect.zipRight(turn, answer)
        return way === 1 ? Effect.flatMap(Effect.exit(answer), (exit) => Effect.zipRight(turn, exit)) : answer
      })

    const write = <A, E>(
      name: string,
      apply: (engines: Engines) => Effect.Effect<A, E>,
      batches: ReadonlyArray<Batch> = []
    ): Effect.Effect<A, E | StoreError> =>
      Effect.suspend((): Effect.Effect<A, E | StoreError> => {
        if (this.refusals > 0) {
          this.refusals -= 1
          this.refused += 1
          this.onChange(`disk refuses ${name}`)
          return Effect.zipRight(turn, new StoreError({ reason: "Unavailable", cause: "SimulatedDisk" }))
        }
        return Effect.zipRight(
          this.chance.oneIn(4) ? turn : Effect.void,
          Effect.flatMap(Effect.exit(Effect.suspend(() => apply(this.engines))), (exit): Effect.Effect<A, E> => {
            if (Exit.isFailure(exit)) return exit
            this.writes.push({ name, apply, batches })
            const until = this.writes.length
            this.onChange(`disk applies ${name}`)
            return Effect.zipRight(
              turn,
              Effect.zipRight(
                Effect.sync(() => this.sync(until)),
                exit
              )
            )
          })
        )
      })

    const events = EventStore.of({
      commit: (batches) =>
        write(
          `commit ${batches.map(({ first, last, session }) => `${session} ${first}-${last}`).join(", ")}`,
          (on) => on.events.commit(batches),
          batches
        ),
      load: (session) => read((on) => on.events.load(session)),
      list: (query) => read((on) => on.events.list(query)),
      readPage: (session, after, limit) => read((on) => on.events.readPage(session, after, Math.min(limit, smallPage))),
      readEvents: (session, range) =>
        read((on) => on.events.readEvents(session, { ...range, limit: Math.min(range.limit, smallPage) })),
      receipt: (session, key) => read((on) => on.events.receipt(session, key)),
      message: (session, id) => read((on) => on.events.message(session, id)),
      openMessages: (session, limit) => read((on) => on.events.openMessages(session, limit)),
      backlog: (session) => read((on) => on.events.backlog(session)),
      withOpenMessages: (query) => read((on) => on.events.withOpenMessages(query)),
      stage: (session, epoch, messages) => write("stage", (on) => on.events.stage(session, epoch, messages)),
      remove: (session) => write(`remove ${session}`, (on) => on.events.remove(session)),
      trim: (session, oldest) => write(`trim ${session} ${oldest}`, (on) => on.events.trim(session, oldest)),
      expired: (cutoff) => read((on) => on.events.expired(cutoff)),
      sweep: (cutoff) => write("sweep", (on) => on.events.sweep(cutoff)),
      oldest: read((on) => on.events.oldest),
      check: write("check", (on) => on.events.check)
    })

    const journal = ConnectionJournal.of({
      commit: (changes) =>
        write(`journal ${changes.map(({ _tag, token }) => `${_tag} ${token.slice(0, 8)}`).join(", ")}`, (on) =>
          on.journal.commit(changes)
        ),
      orphan: (at) => write("orphan", (on) => on.journal.orphan(at)),
      owed: (limit) => read((on) => on.journal.owed(limit)),
      dead: (query) => read((on) => on.journal.dead(query)),
      sweepDead: (cutoff) => write("sweep dead letters", (on) => on.journal.sweepDead(cutoff))
    })

    const retained = RetainedStore.of({
      put: (key, event, at) => write(`retain ${key}`, (on) => on.retained.put(key, event, at)),
      get: (key) => read((on) => on.retained.get(key)),
      remove: (key) => write(`release ${key}`, (on) => on.retained.remove(key)),
      all: read((on) => on.retained.all)
    })

    return Context.make(EventStore, events).pipe(
      Context.add(ConnectionJournal, journal),
      Context.add(RetainedStore, retained)
    )
  }

  private sync(until: number): void {
    if (until <= this.synced) return
    this.synced = until
    this.onChange(`disk synced ${until}`)
  }
}
