import * as assert from "node:assert/strict"
import { Effect, Either, FastCheck as fc, Layer, TestClock } from "effect"
import type { Form } from "../../src/connection/SocketWriter.ts"
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

const ids = [SessionId.make("a"), SessionId.make("b-2")] as const
const session = fc.constantFrom(...ids)
const reader = fc.nat({ max: 2 })
const step = <const Name extends string>(name: Name) => fc.record({ do: fc.constant(name) })

/** What can happen around the seam, in any order. */
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("append"), session, size: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 5, arbitrary: step("turn") },
  { weight: 2, arbitrary: step("yield") },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("hold read"), isAnswer: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hold commit"), isAnswer: fc.boolean() }) },
  { weight: 3, arbitrary: step("release") },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pause"), reader }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("take"), reader, bytes: fc.integer({ min: 1, max: 600 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("resume"), reader }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("open"), isFromStart: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("return"), reader }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trim"), session, kept: fc.nat({ max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die"), isStored: fc.boolean() }) }
)
export const commands = fc.array(command, { minLength: 2, maxLength: 40 })
type Command = (typeof commands extends fc.Arbitrary<infer A> ? A : never)[number]

/** Pages of three events, so that a short log has many. */
const smallPages = Layer.map(MemoryStore.layer, (context) => context).pipe((memory) =>
  Layer.provide(
    Layer.effect(
      EventStore,
      Effect.map(EventStore, (store) => ({
        ...store,
        readPage: (session, after, limit) => store.readPage(session, after, Math.min(limit, 3)),
        readEvents: (session, range) => store.readEvents(session, { ...range, limit: Math.min(range.limit, 3) })
      }))
    ),
    memory
  )
)

/** Small bounds, so that queues overflow and sockets fill; no deadline comes. */
const small = layer({
  store: smallPages,
  connection: { maxBatches: 3, maxBytes: 500, replayCap: 8, heartbeat: "1 day", stall: "1 day", maxAge: undefined }
})

interface Client {
  readonly socket: TestSocket.TestSocket
  /** Where it asked to begin, by session; `undefined` at the head. */
  readonly from: ReadonlyMap<string, number | undefined>
}

/** Plays a story; then all holds are released, all clients read, and each must have everything, in order. */
export const play = (form: Form, story: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const { connections, faulty, sessions, store } = yield* rooms
    const writer = yield* StoreWriter
    const watched = form === "single" ? ids.slice(0, 1) : ids
    const only = form === "single" ? ids[0] : undefined
    const clients: Array<Client> = []
    const former: Array<Client> = []
    const holds: Array<FaultyStore.Hold> = []
    const truth = new Map<string, string>()
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
      const vector = only && last ? new Map([[only as string, last]]) : VectorCursor.parse(socket.lastId)
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

    const hold = (steps: ReadonlyArray<"commit" | "readPage" | "readEvents">, isAnswer: boolean) =>
      Effect.map(isAnswer ? FaultyStore.holdsAnswer : FaultyStore.holds, (held) => {
        for (const step of steps) faulty.next(step, held)
        holds.push(held)
      })

    const perform = (command: Command): Effect.Effect<void> => {
      switch (command.do) {
        case "append":
          return Effect.sync(() => append(command.session, command.size))
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
            if (clients.length < 3) clients.push(begin(() => (command.isFromStart ? ReplayPlan.start : ReplayPlan.head)))
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
            const actor = sessions.find(command.session)
            if (actor === undefined) return Effect.void
            actor.moveOldest(actor.head - command.kept + 1)
            const { oldest } = actor
            return Effect.asVoid(Effect.fork(writer.run(store.trim(command.session, oldest))))
          })
        case "die":
          return Effect.sync(() => {
            // A sixth death within a minute is given up on: another story.
            if (deaths++ < 5) faulty.next("commit", command.isStored ? FaultyStore.diesAfter("x") : FaultyStore.dies("x"))
          })
      }
    }

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
      for (const { next, reason, session } of gaps) {
        assert.ok(reason === "retention" || reason === "cap")
        const oldest = ids.map((id) => sessions.find(id)).find((actor) => actor?.session === session)?.oldest
        if (reason === "retention") assert.ok(next <= (oldest ?? 0), "a gap of what is kept")
      }
      assert.equal(client.socket.lateWrites, 0)
    }
  }).pipe(Effect.provide(small))
