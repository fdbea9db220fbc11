import * as assert from "node:assert/strict"
import { Effect, Option } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import type { AcceptedMessage, StoredMessage } from "../../store/Message.ts"
import * as BatchFixture from "../BatchFixture.ts"
import { a, b, type Rule, rule, type Store, untilDone } from "./Rule.ts"

const { at, ofNumbers } = BatchFixture

const standing = (store: Store, session: SessionId) =>
  Effect.map(store.load(session), (found) => {
    const { process, state, stateAt } = Option.getOrThrow(found)
    return { state, process, stateAt }
  })

const message = (id: string, seq: number, data = `"${id}"`): AcceptedMessage => ({
  id,
  digest: `digest of ${id}`,
  seq,
  data,
  from: id === "m1" ? "R1" : null,
  token: id === "m1" ? "T1" : null
})

const waiting = (accepted: AcceptedMessage): StoredMessage => ({ ...accepted, stage: "waiting" })

const open = (store: Store, session: SessionId, limit = 10) =>
  Effect.map(store.openMessages(session, limit), (found) => found.map(({ id, stage }) => `${id} ${stage}`))

export const lifeContract: ReadonlyArray<Rule> = [
  rule("keeps how a session stands with the events that made it so, and since when", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 1)])
      assert.deepEqual(yield* standing(store, a), { state: "CREATED", process: null, stateAt: at })
      yield* store.commit([ofNumbers("a", 2, 1, { at: at + 5, standing: { state: "ACTIVE", process: "p" } })])
      assert.deepEqual(yield* standing(store, a), { state: "ACTIVE", process: "p", stateAt: at + 5 })
      yield* store.commit([ofNumbers("a", 3, 1, { at: at + 9, standing: { state: "ACTIVE", process: null } })])
      assert.deepEqual(yield* standing(store, a), { state: "ACTIVE", process: null, stateAt: at + 5 })
      yield* store.commit([ofNumbers("a", 4, 1, { at: at + 11 })])
      assert.deepEqual(yield* standing(store, a), { state: "ACTIVE", process: null, stateAt: at + 5 })
    })
  ),

  rule("moves a session with the batch that creates it", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 2, { standing: { state: "STARTING", process: "p" } })])
      assert.deepEqual(yield* standing(store, a), { state: "STARTING", process: "p", stateAt: at })
    })
  ),

  rule("moves no session by a commit that was refused", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 1)])
      const moved = ofNumbers("a", 2, 1, {
        standing: { state: "ENDED", process: null },
        messages: [message("m1", 2)]
      })
      yield* Effect.exit(store.commit([moved, ofNumbers("b", 7, 1, { creates: false })]))
      assert.deepEqual(yield* standing(store, a), { state: "CREATED", process: null, stateAt: at })
      assert.deepEqual(yield* store.message(a, "m1"), Option.none())
    })
  ),

  rule("lists the sessions of a state, and those that a process works for, page by page", (store) =>
    Effect.gen(function* () {
      for (const [name, state, process] of [
        ["a", "ACTIVE", "p"],
        ["b", "SUSPENDED", null],
        ["c", "SUSPENDED", "p"],
        ["d", "ENDED", null]
      ] as const) {
        yield* store.commit([ofNumbers(name, 1, 1, { standing: { state, process } })])
      }
      const names = (query: Parameters<Store["list"]>[0]) =>
        Effect.map(store.list(query), (found) => found.map(({ session }) => session).join(" "))
      assert.equal(yield* names({ state: "SUSPENDED", limit: 10 }), "b c")
      assert.equal(yield* names({ state: "SUSPENDED", after: "b", limit: 10 }), "c")
      assert.equal(yield* names({ state: "ENDED", limit: 10 }), "d")
      assert.equal(yield* names({ hasProcess: true, limit: 10 }), "a c")
      assert.equal(yield* names({ hasProcess: true, limit: 1 }), "a")
      assert.equal(yield* names({ hasProcess: true, after: "a", limit: 1 }), "c")
    })
  ),

  rule("keeps a message with its batch, and gives it back by session and id, whatever became of it", (store) =>
    Effect.gen(function* () {
      const [m1, m2] = [message("m1", 1), message("m2", 2, '{"text":"ö\\n"}')]
      yield* store.commit([ofNumbers("a", 1, 2, { messages: [m1, m2] })])
      assert.deepEqual(yield* store.message(a, "m1"), Option.some(waiting(m1)))
      assert.deepEqual(yield* store.message(a, "m2"), Option.some(waiting(m2)))
      assert.deepEqual([yield* store.message(a, "m3"), yield* store.message(b, "m1")], [Option.none(), Option.none()])
      yield* store.stage(a, "e1", [{ id: "m1", stage: "done" }])
      assert.deepEqual(yield* store.message(a, "m1"), Option.some({ ...m1, stage: "done", data: "" }))
    })
  ),

  rule("tells what is not done, in the order of the log, and how much it is", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 3, { messages: [message("z", 1), message("m1", 3)] })])
      yield* store.commit([ofNumbers("a", 4, 1, { messages: [message("c", 4, '"ö"')] })])
      assert.deepEqual(yield* open(store, a), ["z waiting", "m1 waiting", "c waiting"])
      assert.deepEqual(yield* open(store, a, 2), ["z waiting", "m1 waiting"])
      assert.deepEqual(yield* store.backlog(a), { messages: 3, bytes: 3 + 4 + 4 })
      yield* store.stage(a, "e1", [
        { id: "z", stage: "done" },
        { id: "m1", stage: "begun" },
        { id: "unknown", stage: "begun" }
      ])
      assert.deepEqual(yield* open(store, a), ["m1 begun", "c waiting"])
      assert.deepEqual(yield* store.backlog(a), { messages: 2, bytes: 4 + 4 })
      assert.deepEqual([yield* open(store, b), yield* store.backlog(b)], [[], { messages: 0, bytes: 0 }])
    })
  ),

  rule("settles messages with the batch that says what became of them, or not at all", (store) =>
    Effect.gen(function* () {
      yield* store.commit([ofNumbers("a", 1, 2, { messages: [message("m1", 1), message("m2", 2)] })])
      yield* Effect.exit(store.commit([ofNumbers("a", 3, 1, { settled: ["m1"] }), ofNumbers("b", 7, 1)]))
      assert.deepEqual(yield* open(store, a), ["m1 waiting", "m2 waiting"])
      yield* store.commit([ofNumbers("a", 3, 1, { settled: ["m1", "unknown"] })])
      assert.deepEqual(yield* open(store, a), ["m2 waiting"])
    })
  ),

  rule("finds the sessions that have such messages", (store) =>
    Effect.gen(function* () {
      for (const name of ["c", "a", "b"]) {
        yield* store.commit([ofNumbers(name, 1, 1, { messages: [message("m1", 1)] })])
      }
      yield* store.stage(b, "e1", [{ id: "m1", stage: "done" }])
      assert.deepEqual(yield* store.withOpenMessages({ limit: 10 }), ["a", "c"])
      assert.deepEqual(yield* store.withOpenMessages({ after: "a", limit: 10 }), ["c"])
      assert.deepEqual(yield* store.withOpenMessages({ limit: 1 }), ["a"])
    })
  ),

  rule("forgets messages and standing with their session, and gives them to no later one", (store) =>
    Effect.gen(function* () {
      const moved = { standing: { state: "ACTIVE", process: "p" } as const, messages: [message("m1", 1)] }
      yield* store.commit([ofNumbers("a", 1, 1, moved)])
      yield* store.remove(a)
      assert.deepEqual(yield* store.message(a, "m1"), Option.none())
      assert.deepEqual(yield* store.list({ hasProcess: true, limit: 10 }), [])
      assert.deepEqual(yield* store.withOpenMessages({ limit: 10 }), [])
      yield* store.commit([ofNumbers("a", 1, 1, { epoch: "e2", messages: [message("m1", 1)] })])
      yield* store.stage(a, "e1", [{ id: "m1", stage: "done" }]) // of the log before
      assert.deepEqual(yield* open(store, a), ["m1 waiting"])
      yield* untilDone(store.sweep(0))
      assert.deepEqual(yield* open(store, a), ["m1 waiting"])
    })
  )
]
