import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Frames from "../../src/client/core/Frames.ts"
import * as Reader from "../../src/client/core/Reader.ts"
import * as Readers from "../../src/client/core/Readers.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as ControlFrame from "../../src/protocol/ControlFrame.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as Frame from "../../src/protocol/Frame.ts"
import * as FrameDecoder from "../../src/protocol/FrameDecoder.ts"
import * as ModelServer from "./ModelServer.ts"

const said = (text: string) => FrameDecoder.make().feed(text).flatMap(Frames.ofOne("s"))

/** Without what tells that a connection began. */
const read = (reader: Reader.Reader, text: string): readonly [Reader.Reader, ReadonlyArray<Reader.Step>] => {
  const [readers, steps] = Readers.receive(new Map([["s", reader]]), said(text))
  return [readers.get("s") ?? reader, steps.map(({ step }) => step).filter(({ type }) => type !== "opened")]
}

const numbers = (steps: ReadonlyArray<Reader.Step>) =>
  steps.flatMap((step) => (step.type === "event" ? [step.seq] : []))

const gaps = (steps: ReadonlyArray<Reader.Step>) => steps.flatMap((step) => (step.type === "gap" ? [step.gap] : []))

/** Between two connections the log grows and loses its oldest events, or is made anew; each is cut off somewhere. */
const stay = fc.record({
  grows: fc.nat(30),
  expires: fc.nat(10),
  isAnew: fc.boolean(),
  cutAt: fc.double({ min: 0, max: 1, noNaN: true })
})

interface Seen {
  readonly epoch: string
  readonly from: number
  readonly to: number
}

/** Runs of numbers that were accounted for, as events or as gaps, in the order in which that happened. */
const accounts = (steps: ReadonlyArray<Reader.Step>): ReadonlyArray<Seen> =>
  steps.flatMap((step) => {
    if (step.type === "event") return [{ epoch: step.epoch, from: step.seq, to: step.seq }]
    if (step.type === "gap") return [{ epoch: step.gap.epoch, from: step.gap.after + 1, to: step.gap.next - 1 }]
    return []
  })

const grown = (log: ModelServer.Log, step: { grows: number; expires: number; isAnew: boolean }, made: number) => {
  if (step.isAnew) return { epoch: `e${made}`, oldest: 1, head: step.grows }
  const head = log.head + step.grows
  return { ...log, head, oldest: Math.min(log.oldest + step.expires, head + 1) }
}

describe("Reader", () => {
  it.prop(
    "accounts for every event once and in order, whatever the log and the connections go through",
    [fc.array(stay, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 12 })],
    ([stays, cap]) => {
      // promise 2
      let reader = Reader.make(Cursor.origin)
      let log: ModelServer.Log = { epoch: "e", oldest: 1, head: 0 }
      const all: Array<Reader.Step> = []
      const connect = (cutAt: number) => {
        const asked = reader.cursor === undefined ? ReplayPlan.start : ReplayPlan.at(reader.cursor)
        const text = ModelServer.replay(log, asked, cap)
        const [next, steps] = read(reader, text.slice(0, Math.ceil(text.length * cutAt)))
        reader = next
        all.push(...steps)
      }
      stays.forEach((step, index) => {
        log = grown(log, step, index)
        connect(step.cutAt)
      })
      connect(1)

      const epochs = new Map<string, number>()
      for (const { epoch, from, to } of accounts(all)) {
        assert.strictEqual(from, (epochs.get(epoch) ?? 0) + 1)
        epochs.set(epoch, Math.max(to, epochs.get(epoch) ?? 0))
      }
      assert.strictEqual(epochs.get(log.epoch) ?? 0, log.head)
      assert.deepStrictEqual(reader.cursor, { epoch: log.epoch, seq: log.head })
      assert.notInclude(
        gaps(all).map(({ reason }) => reason),
        "unannounced"
      )
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop(
    "accounts for every event once and in order, whichever frames a server loses or repeats",
    [fc.integer({ min: 1, max: 40 }), fc.array(fc.record({ from: fc.nat(40), count: fc.nat(8) }), { maxLength: 12 })],
    ([head, runs]) => {
      const log = { epoch: "e", oldest: 1, head }
      const some = runs.map(({ count, from }) =>
        ModelServer.events(log, Math.min(from, head), Math.min(from + count, head))
      )
      const live = ControlFrame.live({ session: "s", cursor: `e.${head}` })
      const [reader, steps] = read(Reader.make({ epoch: "e", seq: 0 }), some.join("") + live)
      let at = 0
      for (const { from, to } of accounts(steps)) {
        assert.strictEqual(from, at + 1)
        at = to
      }
      assert.strictEqual(at, head)
      assert.deepStrictEqual(reader.cursor, { epoch: "e", seq: head })
    }
  )

  it.prop(
    "drops what it has, wherever a server begins again",
    [fc.nat(20), fc.nat(20), fc.nat(20)],
    ([first, back, more]) => {
      const log = { epoch: "e", oldest: 1, head: first + more }
      const [reader] = read(Reader.make({ epoch: "e", seq: 0 }), ModelServer.events(log, 0, first))
      const [, steps] = read(reader, ModelServer.events(log, Math.max(first - back, 0), first + more))
      assert.deepStrictEqual(
        numbers(steps),
        Array.from({ length: more }, (_, index) => first + 1 + index)
      )
      assert.deepStrictEqual(gaps(steps), [])
    }
  )

  it.prop(
    "tells of a hole that the server did not announce, before the event behind it",
    [fc.nat(20), fc.integer({ min: 1, max: 20 })],
    ([had, hole]) => {
      const next = had + hole + 1
      const [reader, steps] = read(Reader.make({ epoch: "e", seq: had }), Frame.event("e", next, "message", ""))
      assert.deepStrictEqual(steps[0], {
        type: "gap",
        gap: { epoch: "e", after: had, next, missed: hole, reason: "unannounced" }
      })
      assert.deepStrictEqual(numbers(steps), [next])
      assert.deepStrictEqual(reader.cursor, { epoch: "e", seq: next })
    }
  )

  it("tells of a hole at the end, when it is live further on than it has events", () => {
    const text = ControlFrame.live({ session: "s", cursor: "e.9" })
    const [reader, steps] = read(Reader.make({ epoch: "e", seq: 4 }), text)
    assert.deepStrictEqual(gaps(steps), [{ epoch: "e", after: 4, next: 10, missed: 5, reason: "unannounced" }])
    assert.deepStrictEqual(reader.cursor, { epoch: "e", seq: 9 })
  })

  it("goes back with a log that lost its end, so that the new events there are not taken for old ones", () => {
    const log = { epoch: "e", oldest: 1, head: 5 }
    const [reader, told] = read(
      Reader.make({ epoch: "e", seq: 9 }),
      ModelServer.replay(log, ReplayPlan.at({ epoch: "e", seq: 9 }), 200)
    )
    assert.deepStrictEqual(gaps(told), [{ epoch: "e", after: 5, next: 6, missed: null, reason: "ahead" }])
    const [, steps] = read(reader, ModelServer.events(log, 5, 7))
    assert.deepStrictEqual(numbers(steps), [6, 7])
  })

  it("cut off behind hello comes back where it began: to the start to hear of the gap, to the head to miss nothing", () => {
    const log = { epoch: "e", oldest: 1, head: 500 }
    const cut = (text: string) => text.slice(0, text.indexOf("\n\n") + 2)
    const fromStart = ModelServer.replay(log, ReplayPlan.at(Cursor.origin), 200)
    assert.deepStrictEqual(read(Reader.make(Cursor.origin), cut(fromStart))[0].cursor, Cursor.origin)
    const fromHead = ModelServer.replay(log, ReplayPlan.head, 200)
    assert.deepStrictEqual(read(Reader.make(), cut(fromHead))[0].cursor, { epoch: "e", seq: 500 })
  })

  it("comes back to a session that began while it was away, and misses none of its events", () => {
    const greeting = { token: "t", heartbeat: 15, retry: 2000, session: "s", oldest: 1, head: 0 }
    const nothing = ControlFrame.hello({ ...greeting, epoch: null, cursor: null, mode: "started" }, "0.0")
    const [waiting] = read(Reader.make(), nothing + ControlFrame.live({ session: "s", cursor: null }))
    assert.deepStrictEqual(waiting.cursor, Cursor.origin)
    const log = { epoch: "e", oldest: 1, head: 3 }
    const [, steps] = read(waiting, ModelServer.replay(log, ReplayPlan.at(Cursor.origin), 200))
    assert.deepStrictEqual(numbers(steps), [1, 2, 3])
  })

  it("waits at a session that does not exist yet, and misses none of its first events", () => {
    const greeting = { token: "t", heartbeat: 15, retry: 2000, session: "s", oldest: 1, head: 0 }
    const hello = ControlFrame.hello(
      { ...greeting, epoch: null, cursor: null, mode: "started" },
      Cursor.format(Cursor.origin)
    )
    const live = ControlFrame.live({ session: "s", cursor: null })
    const log = { epoch: "e", oldest: 1, head: 3 }
    const [reader, steps] = read(Reader.make(), hello + live + ModelServer.events(log, 0, 3))
    assert.deepStrictEqual(numbers(steps), [1, 2, 3])
    assert.deepStrictEqual(gaps(steps), [])
    const [, late] = read(read(Reader.make(), hello + live)[0], ModelServer.events(log, 2, 3))
    assert.deepStrictEqual(gaps(late), [{ epoch: "e", after: 0, next: 3, missed: 2, reason: "unannounced" }])
    assert.deepStrictEqual(reader.cursor, { epoch: "e", seq: 3 })
  })

  it("is not moved by what is said of the connection: token, heartbeat, and when to come back", () => {
    const greeting = { token: "t", heartbeat: 4, retry: 700, session: "s", oldest: 1, head: 0 }
    const hello = ControlFrame.hello({ ...greeting, epoch: "e", cursor: "e.0", mode: "started" })
    const bye = ControlFrame.bye({ reason: "shutdown", retry: 1234 })
    assert.deepStrictEqual(
      said(hello + bye).flatMap(({ message, session }) => (session === undefined ? [message] : [])),
      [
        { type: "hello", token: "t", heartbeat: 4, retry: 700 },
        { type: "bye", reason: "shutdown", retry: 1234 }
      ]
    )
    assert.deepStrictEqual(read(Reader.make({ epoch: "e", seq: 3 }), bye)[1], [])
  })

  const names = Object.values(ControlFrame.names)
  it.prop(
    "takes nothing from frames that it cannot read",
    [fc.constantFrom(...names), fc.oneof(fc.json(), fc.string())],
    ([event, data]) => {
      const before = Reader.make({ epoch: "e", seq: 4 })
      const [after, steps] = read(before, Frame.make({ event, data }))
      assert.deepStrictEqual(after.cursor, before.cursor)
      assert.isEmpty(numbers(steps))
    }
  )

  it("hands on the server's own events of the log, as sluice.state, like any other", () => {
    const [, steps] = read(Reader.make(), Frame.event("e", 1, "sluice.state", '{"state":"ACTIVE"}'))
    assert.deepStrictEqual(numbers(steps), [1])
  })
})
