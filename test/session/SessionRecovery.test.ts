import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import type { SessionState } from "../../src/domain/Session.ts"
import { SessionId } from "../../src/domain/Session.ts"
import { Messages } from "../../src/session/inbox/Messages.ts"
import { Processes } from "../../src/session/worker/Processes.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestProcess from "../../src/testing/TestProcess.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { layer, logWith, message } from "./ProcessRooms.ts"
import { events, s1 } from "./SessionRooms.ts"

/** Servers that follow each other on one store. A crash takes the store away in the middle of everything. */
const servers = Effect.gen(function* () {
  const store = yield* MemoryStore.make
  const alive = Layer.succeed(EventStore, store)

  const start = Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer({ store: alive }), scope)
    const faulty = Context.get(context, FaultyStore.FaultyStore)
    /** Nothing that it does from now on reaches the store; it is left where it is, as the dead are. */
    const crash = Effect.sync(() => {
      for (const step of ["commit", "stage"] as const) {
        faulty.next(step, FaultyStore.fails("Unavailable"), { times: Number.POSITIVE_INFINITY })
      }
    })
    return {
      crash,
      stop: Scope.close(scope, Exit.void),
      messages: Context.get(context, Messages),
      processes: Context.get(context, Processes),
      sessions: Context.get(context, SessionRegistry)
    }
  })

  return { start, store }
})

const logOf = (store: typeof EventStore.Service, session: SessionId, start: string) =>
  Effect.provideService(logWith(session, start), EventStore, store)

describe("the recovery after a crash", () => {
  it.effect("ends what cannot be resumed, detaches what can, and leaves the others alone (S100)", () =>
    Effect.gen(function* () {
      const { start, store } = yield* servers
      const first = yield* start
      const states: ReadonlyArray<SessionState> = ["ACTIVE", "SUSPENDED", "DETACHED"]
      const named = (kind: string, state: string) => SessionId.make(`${kind}-${state}`)
      for (const state of states) {
        for (const kind of ["bound", "resumable"]) {
          const session = named(kind, state)
          const child = yield* TestProcess.make()
          yield* first.processes.attach(session, child.process, { isResumable: kind === "resumable" })
          yield* logOf(store, session, "ACTIVE")
          if (state !== "ACTIVE") yield* first.sessions.move(session, state)
        }
        const session = named("none", state)
        yield* first.sessions.append(session, { events: events("1") })
        for (const step of ["STARTING", "ACTIVE", ...(state === "ACTIVE" ? [] : [state])] as const) {
          yield* first.sessions.move(session, step)
        }
      }
      yield* first.crash

      const { sessions } = yield* start
      for (const state of states) {
        const bound = yield* logOf(store, named("bound", state), "ENDED")
        const crashed = "crashed: the server died while the process ran"
        assert.deepEqual(bound.slice(-2), [crashed, "ENDED (crashed)"])
        const resumable = yield* logOf(store, named("resumable", state), "crashed")
        const moved = state === "DETACHED" ? [crashed] : [crashed, "DETACHED (crashed)"]
        assert.deepEqual(resumable.slice(-moved.length), moved)
        assert.equal((yield* sessions.get(named("bound", state))).state, "ENDED")
        assert.equal((yield* sessions.get(named("resumable", state))).state, "DETACHED")
        const { head, state: kept } = yield* sessions.get(named("none", state))
        assert.deepEqual([kept, head], [state, state === "ACTIVE" ? 3 : 4])
      }
    })
  )

  it.effect("ends a process that was still starting, and one that was asked to stop", () =>
    Effect.gen(function* () {
      const { start, store } = yield* servers
      const first = yield* start
      const starting = yield* TestProcess.make({ start: Effect.never })
      yield* first.processes.attach(s1, starting.process)
      const closing = yield* TestProcess.make({ stop: Effect.never })
      const s2 = SessionId.make("s2")
      yield* first.processes.attach(s2, closing.process, { isResumable: true })
      yield* logOf(store, s2, "ACTIVE")
      yield* first.processes.stop(s2)
      yield* first.crash
      const { sessions } = yield* start
      assert.equal((yield* sessions.get(s1)).state, "ENDED")
      assert.equal((yield* sessions.get(s2)).state, "ENDED")
    })
  )

  it.effect("dispatches no message twice: what may have arrived is told, what did not waits or fails", () =>
    Effect.gen(function* () {
      const { start, store } = yield* servers
      const s2 = SessionId.make("s2")
      const first = yield* start
      for (const session of [s1, s2]) {
        const child = yield* TestProcess.make({ send: ({ id }) => (id === "m1" ? Effect.void : Effect.never) })
        yield* first.processes.attach(session, child.process, { isResumable: session === s1 })
        for (const id of ["m1", "m2", "m3"]) yield* first.messages.accept(session, message(id))
        yield* child.hears("send m2")
      }
      yield* settled
      yield* first.crash

      const second = yield* start
      const unknown =
        "message_unknown m2: it is not known whether the process took it: please check, it is not sent again"
      assert.include(yield* logOf(store, s1, "DETACHED"), unknown)
      const ended = yield* logOf(store, s2, "ENDED")
      assert.include(ended, unknown)
      assert.include(ended, "message_failed m3: the server died before the process took it")
      const again = yield* TestProcess.make()
      yield* second.processes.attach(s1, again.process)
      yield* again.hears("send m3")
      assert.deepEqual(again.heard, ["start", "send m3"])
      assert.deepEqual((yield* second.messages.accept(s1, message("m2"))).isNew, false)
    })
  )

  it.effect("is not needed after a graceful stop: processes are stopped, or let go of, with their events", () =>
    Effect.gen(function* () {
      const { start, store } = yield* servers
      const s2 = SessionId.make("s2")
      const first = yield* start
      const [bound, resumable] = [yield* TestProcess.make(), yield* TestProcess.make()]
      yield* first.processes.attach(s1, bound.process)
      yield* first.processes.attach(s2, resumable.process, { isResumable: true })
      for (const session of [s1, s2]) yield* logOf(store, session, "ACTIVE")
      yield* first.processes.drain
      yield* first.stop
      assert.deepEqual((yield* logOf(store, s1, "ENDED")).slice(4), [
        "stopping",
        "CLOSING (shutdown)",
        "exited",
        "ENDED (shutdown)"
      ])
      assert.deepEqual((yield* logOf(store, s2, "DETACHED")).slice(4), [
        "detached: the server stopped",
        "DETACHED (shutdown)"
      ])
      assert.deepEqual(
        [bound.heard, resumable.heard],
        [
          ["start", "stop", "close"],
          ["start", "close"]
        ]
      )
      const before = yield* logOf(store, s2, "DETACHED")
      yield* start
      assert.deepEqual(yield* logOf(store, s2, "DETACHED"), before)
    })
  )

  it.effect("tells the end also where the rooms are closed without a drain", () =>
    Effect.gen(function* () {
      const { start, store } = yield* servers
      const first = yield* start
      const child = yield* TestProcess.make()
      yield* first.processes.attach(s1, child.process)
      yield* logOf(store, s1, "ACTIVE")
      yield* first.stop
      assert.deepEqual((yield* logOf(store, s1, "ENDED")).slice(4), [
        "exited",
        "CLOSING (shutdown)",
        "ENDED (shutdown)"
      ])
      assert.deepEqual(child.heard, ["start", "close"])
    })
  )

  it.effect("does not let the server start while the store cannot tell who had a process", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const broken = EventStore.of({
        ...store,
        list: () => FaultyStore.fails("Corrupt").on(store.list({ limit: 1 })) as never
      })
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer({ store: Layer.succeed(EventStore, broken) }))))
      assert.isTrue(Exit.isFailure(exit))
    })
  )
})
