import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Either, Exit, FastCheck, Layer, Option, Schema, Scope } from "effect"
import { isLegal } from "../../src/domain/Lifecycle.ts"
import type { StoreError } from "../../src/domain/SessionError.ts"
import { SessionState } from "../../src/domain/Session.ts"
import * as SessionEvent from "../../src/protocol/SessionEvent.ts"
import { Messages } from "../../src/session/inbox/Messages.ts"
import { Processes } from "../../src/session/worker/Processes.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestProcess from "../../src/testing/TestProcess.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { layer, message } from "./ProcessRooms.ts"
import { events, s1 } from "./SessionRooms.ts"

/** What may happen to a session. */
type Happening =
  | { readonly _tag: "Move"; readonly to: SessionState }
  | { readonly _tag: "Message"; readonly id: string }
  | { readonly _tag: "Attach"; readonly isResumable: boolean }
  | {
      readonly _tag:
        | "Append"
        | "Interrupt"
        | "Stop"
        | "Emit"
        | "End"
        | "Fail"
        | "Delete"
        | "StoreFails"
        | "Crash"
        | "Restart"
    }

const happening: FastCheck.Arbitrary<Happening> = FastCheck.oneof(
  FastCheck.record({ _tag: FastCheck.constant("Move" as const), to: FastCheck.constantFrom(...SessionState.literals) }),
  FastCheck.record({ _tag: FastCheck.constant("Message" as const), id: FastCheck.constantFrom("m1", "m2", "m3") }),
  FastCheck.record({ _tag: FastCheck.constant("Attach" as const), isResumable: FastCheck.boolean() }),
  FastCheck.record({
    _tag: FastCheck.constantFrom(
      "Append" as const,
      "Interrupt" as const,
      "Stop" as const,
      "Emit" as const,
      "End" as const,
      "Fail" as const,
      "Delete" as const,
      "StoreFails" as const,
      "Crash" as const,
      "Restart" as const
    )
  })
)

const StateBody = Schema.parseJson(
  Schema.Struct({ state: SessionState, from: SessionState, reason: Schema.optional(Schema.String) })
)

/** The states that the log tells of, each move legal for whoever made it; then the state that it leaves. */
const stateByLog = (store: typeof EventStore.Service) =>
  Effect.map(store.readEvents(s1, { after: 0, before: 1e9, limit: 10_000, order: "asc" }), (log) => {
    let state: SessionState = "CREATED"
    for (const [index, { data, name, seq }] of log.entries()) {
      assert.equal(seq, index + 1)
      assert.notEqual(state, "ENDED", `event ${seq} follows the end`)
      if (name !== SessionEvent.names.state) continue
      const move = Schema.decodeSync(StateBody)(data)
      assert.equal(move.from, state)
      const by = move.reason === "crashed" || move.reason === "shutdown" ? "recovery" : "anyone"
      assert.isTrue(isLegal(move.from, move.state, by), `${move.from} to ${move.state} (${move.reason})`)
      state = move.state
    }
    return state
  })

const server = (store: typeof EventStore.Service) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer({ store: Layer.succeed(EventStore, store) }), scope)
    return {
      faulty: Context.get(context, FaultyStore.FaultyStore),
      messages: Context.get(context, Messages),
      processes: Context.get(context, Processes),
      sessions: Context.get(context, SessionRegistry),
      close: Scope.close(scope, Exit.void)
    }
  })

/** Lives through all of it, and compares what memory, store and log say after each step. */
const liveThrough = (happenings: ReadonlyArray<Happening>, store: typeof EventStore.Service) =>
  Effect.gen(function* () {
    let alive = yield* server(store)
    let child = yield* TestProcess.make()
    const quietly = <A, E>(effect: Effect.Effect<A, E>) => Effect.asVoid(Effect.either(effect))

    const happen = (what: Happening): Effect.Effect<void, StoreError> => {
      switch (what._tag) {
        case "Move":
          return Effect.gen(function* () {
            const before = alive.sessions.find(s1)?.state
            const exists = alive.sessions.find(s1)?.exists ?? false
            const result = yield* Effect.either(alive.sessions.move(s1, what.to))
            // With a process at work someone else may move it in the same turn.
            if (before === undefined || !exists || alive.processes.size() > 0) return
            if (Either.isLeft(result) && result.left._tag === "StoreError") return
            assert.equal(Either.isRight(result), before === what.to || isLegal(before, what.to))
          })
        case "Message":
          return quietly(alive.messages.accept(s1, message(what.id)))
        case "Attach":
          return Effect.gen(function* () {
            const made = yield* TestProcess.make({}, { code: 0, signal: null })
            const attached = yield* Effect.either(alive.processes.attach(s1, made.process, what))
            if (Either.isRight(attached)) child = made
          })
        case "Append":
          return quietly(alive.sessions.append(s1, { events: events("x") }))
        case "Interrupt":
          return quietly(alive.processes.interrupt(s1))
        case "Stop":
          return quietly(alive.processes.stop(s1))
        case "Emit":
          return child.emit(...events("y"))
        case "End":
          return child.end()
        case "Fail":
          return child.end(new TypeError("failed"))
        case "Delete":
          return quietly(alive.sessions.remove(s1))
        case "StoreFails":
          return Effect.sync(() => alive.faulty.next("commit", FaultyStore.fails("Full")))
        case "Crash":
          return Effect.gen(function* () {
            // The dead server's store is deaf; it is left where it is.
            for (const step of ["commit", "stage", "remove"] as const) {
              alive.faulty.next(step, FaultyStore.fails("Unavailable"), { times: Number.POSITIVE_INFINITY })
            }
            alive = yield* server(store)
          })
        case "Restart":
          return Effect.gen(function* () {
            alive.faulty.heal()
            yield* alive.processes.drain
            yield* alive.close
            alive = yield* server(store)
          })
      }
    }

    for (const what of happenings) {
      yield* happen(what)
      yield* settled
      const record = Option.getOrUndefined(yield* store.load(s1))
      const actor = alive.sessions.find(s1)
      const byLog = record === undefined ? undefined : yield* stateByLog(store)
      assert.equal(byLog, record?.state, `the log and the store, after ${what._tag}`)
      if (actor?.exists) assert.equal(actor.state, record?.state, `memory and the store, after ${what._tag}`)
      if (record?.state === "ENDED") assert.isNull(record.process)
    }
  }).pipe(Effect.orDie)

const engines = [
  ["memory", Layer.effect(EventStore, MemoryStore.make), 150],
  ["sqlite", SqliteStore.layer({ filename: ":memory:", durability: "process" }), 40]
] as const

for (const [engine, store, numRuns] of engines) {
  describe(`whatever happens to a session (${engine})`, () => {
    it.live(
      "only legal states are reached, and memory, store and log never differ (S97, S98)",
      () =>
        Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(FastCheck.array(happening, { minLength: 1, maxLength: 25 }), (happenings) =>
              Effect.runPromise(
                Effect.flatMap(EventStore, (store) => liveThrough(happenings, store)).pipe(
                  Effect.provide(store),
                  Effect.scoped
                )
              )
            ),
            { numRuns }
          )
        ),
      120_000
    )
  })
}
