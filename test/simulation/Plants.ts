import { Context, Effect, Either } from "effect"
import { BackendCall } from "../../src/callback/BackendCall.ts"
import { Connection } from "../../src/connection/Connection.ts"
import { LiveSeam } from "../../src/connection/LiveSeam.ts"
import { Outgoing } from "../../src/connection/Outgoing.ts"
import { SessionActor } from "../../src/session/SessionActor.ts"
import { ConnectionJournal } from "../../src/store/ConnectionJournal.ts"
import { RetainedStore } from "../../src/store/RetainedStore.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import type { Batch } from "../../src/store/Batch.ts"
import type { Simulation } from "../../src/testing/index.ts"

type Scheduler = Simulation.SeededScheduler

/** A fault that somebody could have made. `plant` puts it there, and gives what takes it away. */
export interface Plant {
  readonly name: string
  readonly options?: Simulation.Options
  readonly plant?: () => () => void
}

/** In place of a method, until it is put back. */
const instead = <Of extends object, Name extends keyof Of>(of: Of, name: Name, method: Of[Name]) => {
  const former = of[name]
  of[name] = method
  return () => {
    of[name] = former
  }
}

let now: Scheduler | undefined

/** Each is one that the design rules out (docs/architecture.md sections 3 and 7), and that a test had to find. */
export const plants: ReadonlyArray<Plant> = [
  {
    name: "an append is acknowledged before its commit",
    options: {
      stores: (stores) => {
        const store = Context.get(stores, EventStore)
        const commit: typeof store.commit = (batches) => Effect.asVoid(Effect.forkDaemon(store.commit(batches)))
        return Context.add(stores, EventStore, { ...store, commit })
      }
    }
  },
  {
    name: "a reader takes its place first, and watches a turn later",
    options: {
      stores: (stores, scheduler) => {
        now = scheduler
        return stores
      }
    },
    plant: () => {
      const watch = SessionActor.prototype.watch
      return instead(SessionActor.prototype, "watch", function (this: SessionActor, watcher) {
        now?.immediate(() => {
          if (Reflect.get(watcher, "mode") !== "ended") watch.call(this, watcher)
        })
      })
    }
  },
  {
    name: "what was offered while a reader read the log is written behind it, though the log had it",
    plant: () => {
      const batchOf = Outgoing.prototype.batch
      const { goLive, offer } = LiveSeam.prototype
      const offered = new WeakMap<LiveSeam, ReadonlyArray<Batch>>()
      const puts = [
        instead(LiveSeam.prototype, "offer", function (this: LiveSeam, batch) {
          if (this.mode === "log") offered.set(this, [...(offered.get(this) ?? []), batch])
          offer.call(this, batch)
        }),
        instead(LiveSeam.prototype, "goLive", function (this: LiveSeam) {
          const isLive = goLive.call(this)
          if (isLive) for (const batch of offered.get(this) ?? []) this.offer(batch)
          if (isLive) offered.delete(this)
          return isLive
        }),
        instead(Outgoing.prototype, "batch", function (this: Outgoing, index) {
          const batch = batchOf.call(this, index)
          const seam = this.seam(index)
          if (batch === undefined || seam === undefined || batch.first > seam.seq) return batch
          return { ...batch, first: seam.seq + 1, last: seam.seq + batch.events.length }
        })
      ]
      return () => {
        for (const put of puts) put()
      }
    }
  },
  {
    name: "a reader is live one event before the head",
    plant: () =>
      instead(LiveSeam.prototype, "goLive", function (this: LiveSeam) {
        if (this.mode !== "log" || this.seq + 1 < this.actor.head) return false
        this.mode = "live"
        return true
      })
  },
  {
    name: "the time limit of a callback is over with its head",
    plant: () => {
      const expire = BackendCall.prototype.expire
      return instead(BackendCall.prototype, "expire", function (this: BackendCall, isReachable) {
        if (Reflect.get(this, "status") === 0) expire.call(this, isReachable)
      })
    }
  },
  {
    name: "a queue has no bound",
    plant: () => {
      const push = Outgoing.prototype.push
      return instead(Outgoing.prototype, "push", function (this: Outgoing, seam, batch) {
        Reflect.set(this, "bounds", { maxBatches: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY })
        return push.call(this, seam, batch)
      })
    }
  },
  {
    name: "the callback leaves before its connect is in the journal",
    options: {
      stores: (stores) => {
        const journal = Context.get(stores, ConnectionJournal)
        const commit: typeof journal.commit = (changes) => Effect.asVoid(Effect.forkDaemon(journal.commit(changes)))
        return Context.add(stores, ConnectionJournal, { ...journal, commit })
      }
    }
  },
  {
    name: "a retained value is acknowledged before it is stored",
    options: {
      stores: (stores) => {
        const retained = Context.get(stores, RetainedStore)
        const put: typeof retained.put = (...given) => Effect.asVoid(Effect.forkDaemon(retained.put(...given)))
        return Context.add(stores, RetainedStore, { ...retained, put })
      }
    }
  },
  {
    name: "a disconnect is forgotten before the backend has heard of it",
    plant: () => {
      const onDone = BackendCall.prototype.onResponseError
      return instead(BackendCall.prototype, "onResponseError", function (this: BackendCall, controller, error) {
        if (this.body.includes('"disconnect"')) this.onDone(Either.right(""))
        onDone.call(this, controller, error)
      })
    }
  },
  {
    name: "an idempotency key is looked up without its receipt",
    options: {
      stores: (stores) => {
        const store = Context.get(stores, EventStore)
        return Context.add(stores, EventStore, { ...store, receipt: () => Effect.succeedNone })
      }
    }
  },
  {
    name: "retention overtakes a reader without a gap",
    options: { retainEvents: 2 },
    plant: () => instead(Connection.prototype, "writeGap", () => {})
  }
]
