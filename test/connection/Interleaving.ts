import * as assert from "node:assert/strict"
import { Duration, Effect, Either, FastCheck as fc, Layer, TestClock } from "effect"
import type { Form } from "../../src/session/LogReader.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import { SessionId } from "../../src/domain/Session.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { StoreWriter } from "../../src/store/StoreWriter.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import { events } from "../session/SessionRooms.ts"
import { settledUntil } from "../store/StoreWriterTurn.ts"
import { layer, rooms } from "./ConnectionRooms.ts"
import * as StreamReading from "./StreamReading.ts"

const which = fc.constantFrom<0 | 1>(0, 1)
const reader = fc.nat({ max: 2 })
/** What can happen around the seam, in any order. `session` and `reader` are indexes. */
type Command =
  | { readonly do: "append"; readonly session: 0 | 1; readonly size: number }
  | { readonly do: "turn" | "yield" | "release" }
  | { readonly do: "hold read" | "hold commit" | "hold load"; readonly isAnswer: boolean }
  | { readonly do: "pause" | "resume" | "return"; readonly reader: number }
  | { readonly do: "take"; readonly reader: number; readonly bytes: number }
  | { readonly do: "open"; readonly isFromStart: boolean }
  | { readonly do: "trim"; readonly session: 0 | 1; readonly kept: number }
  | { readonly do: "die"; readonly isStored: boolean }

const is = <Name extends Command["do"], Needs extends object>(name: Name, needs: fc.Arbitrary<Needs>) =>
  needs.map((needed) => ({ do: name, ...needed }))

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: is("append", fc.record({ session: which, size: fc.integer({ min: 1, max: 5 }) })) },
  { weight: 5, arbitrary: is("turn", fc.constant({})) },
  { weight: 2, arbitrary: is("yield", fc.constant({})) },
  { weight: 3, arbitrary: is("release", fc.constant({})) },
  { weight: 3, arbitrary: is("hold read", fc.record({ isAnswer: fc.boolean() })) },
  { weight: 1, arbitrary: is("hold commit", fc.record({ isAnswer: fc.boolean() })) },
  { weight: 1, arbitrary: is("hold load", fc.record({ isAnswer: fc.boolean() })) },
  { weight: 2, arbitrary: is("pause", fc.record({ reader })) },
  { weight: 2, arbitrary: is("resume", fc.record({ reader })) },
  { weight: 3, arbitrary: is("take", fc.record({ reader, bytes: fc.integer({ min: 1, max: 600 }) })) },
  { weight: 2, arbitrary: is("return", fc.record({ reader })) },
  { weight: 2, arbitrary: is("open", fc.record({ isFromStart: fc.boolean() })) },
  { weight: 1, arbitrary: is("trim", fc.record({ session: which, kept: fc.nat({ max: 6 }) })) },
  { weight: 2, arbitrary: is("die", fc.record({ isStored: fc.boolean() })) }
)
/** Long ones too: an array of few commands, the usual bias, seldom holds a race. */
export const stories = fc.array(command, { minLength: 1, maxLength: 40, size: "max" })

/** Pages of three events, so that a short log has many. */
const smallPages = Layer.provide(
  Layer.effect(
    EventStore,
    Effect.map(EventStore, (store) => ({
      ...store,
      readPage: (session, after, limit) => store.readPage(session, after, Math.min(limit, 3)),
      readEvents: (session, range) => store.readEvents(session, { ...range, limit: Math.min(range.limit, 3) })
    }))
  ),
  MemoryStore.layer
)

const replayCap = 8

/** Small bounds, so that queues overflow and sockets fill; no deadline comes. */
export const smallRooms = layer({
  store: smallPages,
  connection: {
    maxBatches: 3,
    maxBytes: 2000,
    replayCap,
    heartbeat: Duration.days(1),
    stall: Duration.days(1),
    maxAge: undefined
  }
})

interface Client {
  readonly socket: TestSocket.TestSocket
  /** Where it asked to begin, by session; `undefined` at the head. */
  readonly from: ReadonlyMap<string, number | undefined>
}

let played = 0

/** Plays a story with sessions of its own; then all holds are released, all clients read, and each must have everything, in order. */
export const play = (form: Form, story: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const { connections, faulty, sessions, store } = yield* rooms
    const writer = yield* StoreWriter
    // Of one length, since bytes decide when a socket is full: a story that fails fails again.
    const own = `${++played}`.padStart(6, "0")
    const ids = [SessionId.make(`a-${own}`), SessionId.make(`b.${own}`)] as const
    const watched = form === "single" ? ids.slice(0, 1) : ids
    const only = form === "single" ? ids[0] : undefined
    const clients: Array<Client> = []
    const former: Array<Client> = []
    const holds: Array<FaultyStore.Hold> = []
    const truth = new Map<string, string>()
    const trimmed = new Map<string, number>()
    let sent = 0
    let deaths = 0

    const begin = (position: (session: SessionId) => ReplayPlan.Position): Client => {
      const socket = new TestSocket.TestSocket({ highWaterMark: 200 })
      const watches = watched.map((session) => ({ session, position: position(session) }))
      connections.open(socket, { form, watches, isBadCursor: false })
      const from = watches.map(({ position, session }) => {
        const seq = position._tag === "At" ? position.cursor.seq : 0
        return [session, position._tag === "Head" ? undefined : seq] as const
      })
      return { socket, from: new Map(from) }
    }

    /** As a browser returns: with the last id that it saw, if it saw one. */
    const returning = (socket: TestSocket.TestSocket) => {
      const last = Cursor.parse(socket.lastId)
      const vector = only && last ? new Map<string, Cursor.Cursor>([[only, last]]) : VectorCursor.parse(socket.lastId)
      return begin((session) => {
        const cursor = vector?.get(session)
        return cursor === undefined ? ReplayPlan.start : ReplayPlan.at(cursor)
      })
    }

    const append = (session: SessionId, size: number) => {
      const data = Array.from({ length: size }, () => `${sent++}${"x".repeat((sent * 37) % 90)}`)
      sessions.unsafeAppend(session, {
        events: events(...data),
        done: Either.match({
          onLeft: () => {},
          onRight: ({ first }) => {
            for (const [index, text] of data.entries()) truth.set(`${session} ${first + index}`, text)
          }
        })
      })
    }

    const hold = (steps: ReadonlyArray<"commit" | "load" | "readPage" | "readEvents">, isAnswer: boolean) =>
      Effect.map(isAnswer ? FaultyStore.holdsAnswer : FaultyStore.holds, (held) => {
        for (const step of steps) faulty.next(step, held)
        holds.push(held)
      })

    const perform = (command: Command): Effect.Effect<void> => {
      switch (command.do) {
        case "append":
          return Effect.sync(() => append(ids[command.session], command.size))
        case "turn":
          return Effect.async((resume) => {
            setImmediate(() => resume(Effect.void))
          })
        case "yield":
          return Effect.yieldNow()
        case "hold read":
          return hold(["readPage", "readEvents"], command.isAnswer)
        case "hold commit":
          return hold(["commit"], command.isAnswer)
        case "hold load":
          return hold(["load"], command.isAnswer)
        case "release":
          return holds.shift()?.release ?? Effect.void
        case "pause":
          return Effect.sync(() => clients[command.reader]?.socket.pause())
        case "take":
          return Effect.sync(() => clients[command.reader]?.socket.take(command.bytes))
        case "resume":
          return Effect.sync(() => clients[command.reader]?.socket.resume())
        case "open":
          return Effect.sync(() => {
            if (clients.length < 3)
              clients.push(begin(() => (command.isFromStart ? ReplayPlan.start : ReplayPlan.head)))
          })
        case "return":
          return Effect.sync(() => {
            const client = clients[command.reader]
            if (client === undefined || client.socket.lastId === "") return
            client.socket.close()
            former.push(client)
            clients[command.reader] = returning(client.socket)
          })
        case "trim":
          return Effect.suspend(() => {
            const actor = sessions.find(ids[command.session])
            if (actor === undefined) return Effect.void
            actor.moveOldest(actor.head - command.kept + 1)
            const { oldest } = actor
            trimmed.set(actor.session, Math.max(oldest, trimmed.get(actor.session) ?? 1))
            return Effect.asVoid(Effect.fork(writer.run(store.trim(actor.session, oldest))))
          })
        case "die":
          return Effect.sync(() => {
            // A sixth death within a minute is given up on: another story.
            if (deaths++ < 5)
              faulty.next("commit", command.isStored ? FaultyStore.diesAfter("x") : FaultyStore.dies("x"))
          })
      }
    }

    clients.push(begin(() => ReplayPlan.start))
    yield* Effect.forEach(story, perform, { discard: true })
    faulty.heal()
    yield* Effect.forEach(holds, ({ release }) => release, { discard: true })
    for (const { socket } of clients) socket.resume()
    if (deaths > 1) yield* TestClock.adjust("1 second")
    for (const session of ids) append(session, 1)

    const readings = () => clients.map(({ from, socket }) => StreamReading.read(socket.events, from, only))
    const isAtHead = (reading: StreamReading.Reading) =>
      watched.every((session) => reading.next.get(session) === (sessions.find(session)?.head ?? 0) + 1)
    const isDone = () => ids.every((id) => truth.has(`${id} ${sessions.find(id)?.head}`)) && readings().every(isAtHead)
    assert.ok(yield* settledUntil(isDone, 50), "a client did not reach the head")

    for (const client of [...former, ...clients]) {
      const { gaps, messages } = StreamReading.read(client.socket.events, client.from, only)
      for (const { data, seq, session } of messages) assert.equal(data, truth.get(`${session} ${seq}`) ?? data)
      for (const { isOpening, next, reason, session } of gaps) {
        const actor = ids.map((id) => sessions.find(id)).find((actor) => actor?.session === session)
        assert.ok(actor !== undefined && (reason === "retention" || (reason === "cap" && isOpening)))
        const oldest = Math.max(actor.oldest, trimmed.get(session) ?? 1)
        const missed = isOpening ? Math.max(oldest, actor.head - replayCap + 1) : oldest
        assert.ok(next <= missed, "a gap of what is kept")
      }
      assert.equal(client.socket.lateWrites, 0)
    }
    for (const { socket } of clients) socket.close()
  })
