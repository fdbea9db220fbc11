import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, FastCheck as fc, Layer, Scope, TestClock } from "effect"
import * as MemoryConnectionJournal from "../../src/store/memory/MemoryConnectionJournal.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { Backend, callOf, hangs, layer, refuses, rooms, type Script } from "./OutboxRooms.ts"

type Command =
  /** A connection that ends, twice if it is `again`, or that is open when the server goes. */
  | { readonly do: "end"; readonly again: boolean }
  | { readonly do: "open" }
  | { readonly do: "wait"; readonly seconds: number }
  /** The store refuses so many commits. */
  | { readonly do: "refuse"; readonly times: number }
  | { readonly do: "stop" }
  /** Nothing of this server is heard or stored from now on; another one starts. */
  | { readonly do: "kill" }

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("end" as const), again: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: "open" as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), seconds: fc.nat({ max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse" as const), times: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "stop" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "kill" as const }) }
)

const answer = fc.constantFrom("yes", "yes", "no", "hangs", "dies")

const scripts: Record<string, Script> = {
  yes: () => Effect.void,
  no: refuses,
  hangs,
  dies: () => Effect.die(new Error("boom"))
}

const play = (commands: ReadonlyArray<Command>, answers: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const journal = yield* MemoryConnectionJournal.make
    const backend = new Backend()
    let calls = 0
    backend.script = (call, nth) => {
      calls += 1
      return scripts[answers[calls - 1] ?? "yes"]?.(call, nth) ?? Effect.void
    }

    /** A server, and whether it was killed. */
    const start = Effect.gen(function* () {
      const life = { isKilled: false }
      const heard = new Backend()
      heard.script = (call) => (life.isKilled ? Effect.never : backend.disconnect(call))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(layer({ backend: heard, journal, maxDeliveries: 3 }), scope)
      return { context, life, scope }
    })

    /** Until nothing is owed any more, and its end. */
    const finish = ({ context, scope }: Effect.Effect.Success<typeof start>) =>
      Effect.gen(function* () {
        const { outbox } = yield* Effect.provide(rooms, context)
        const drain = yield* Effect.fork(outbox.drain)
        for (let minutes = 0; minutes < 60 && drain.unsafePoll() === null; minutes++) {
          yield* TestClock.adjust("1 minute")
          yield* settled
        }
        assert.notEqual(drain.unsafePoll(), null, "something is owed for ever")
        yield* Scope.close(scope, Exit.void)
      })

    let server = yield* start
    let tokens = 0
    const owed: Array<string> = []
    for (const command of commands) {
      const here = Effect.provide(rooms, server.context)
      switch (command.do) {
        case "open":
        case "end": {
          const { outbox, writer } = yield* here
          const token = `t${`${tokens++}`.padStart(3, "0")}`
          const call = callOf(token)
          const connect = { _tag: "Connect", token, request: call.request } as const
          // Refused, there is no connection.
          if ((yield* Effect.either(writer.record(connect)))._tag === "Left") break
          owed.push(token)
          if (command.do === "open") break
          yield* outbox.owe(call)
          if (command.again) yield* outbox.owe(callOf(token, "shutdown"))
          break
        }
        case "wait":
          yield* TestClock.adjust(Duration.seconds(command.seconds))
          yield* settled
          break
        case "refuse": {
          const { faulty } = yield* here
          faulty.next("commit", FaultyStore.fails("Full"), {
            times: command.times,
            when: ({ _tag }) => _tag !== "Connect"
          })
          break
        }
        case "stop":
          yield* Scope.close(server.scope, Exit.void)
          server = yield* start
          break
        case "kill": {
          const { faulty } = yield* here
          server.life.isKilled = true
          faulty.next("commit", FaultyStore.fails("Unavailable"), { times: Number.POSITIVE_INFINITY })
          yield* Scope.close(server.scope, Exit.void)
          server = yield* start
        }
      }
    }

    yield* finish(server)
    // What is open is left to another server.
    yield* finish(yield* start)
    return { owed, told: backend.told, left: [yield* journal.orphan(0), yield* journal.owed(99)] }
  })

describe("DisconnectOutbox, in any history of ends, answers, refusals and restarts,", () => {
  // promise 7
  it.effect.prop(
    "tells the backend of every end: once while the server lives or stops in order, at least once over a kill",
    {
      commands: fc.array(command, { maxLength: 25, size: "max" }),
      answers: fc.array(answer, { maxLength: 30, size: "max" })
    },
    ({ answers, commands }) =>
      Effect.gen(function* () {
        const { left, owed, told } = yield* play(commands, answers)
        assert.deepEqual(left, [false, []])
        assert.deepEqual(Array.from(new Set(told)).toSorted(), owed)
        const happened = new Set(commands.map((command) => command.do))
        // Told, but the store refused to forget it before the stop.
        const isTwiceAllowed = happened.has("kill") || (happened.has("refuse") && happened.has("stop"))
        if (!isTwiceAllowed) assert.deepEqual(told.toSorted(), owed)
      }),
    { fastCheck: { numRuns: 40 }, timeout: 60_000 }
  )
})
