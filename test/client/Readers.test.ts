import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Frames from "../../src/client/core/Frames.ts"
import * as Reader from "../../src/client/core/Reader.ts"
import * as Readers from "../../src/client/core/Readers.ts"
import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as ControlFrame from "../../src/protocol/ControlFrame.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as FrameDecoder from "../../src/protocol/FrameDecoder.ts"
import * as ModelServer from "./ModelServer.ts"

const said = (text: string) => FrameDecoder.make().feed(text).flatMap(Frames.ofSeveral)

const read = (readers: Readers.Readers, text: string) => Readers.receive(readers, said(text))

const ids = ["a", "b.x", "c~y"]

const make = (): Readers.Readers => new Map(ids.map((session) => [session, Reader.make(Cursor.origin)]))

/** Between two connections each log grows, loses its oldest events, or is made anew; the connection is cut off somewhere. */
const stay = fc.record({
  logs: fc.array(fc.record({ grows: fc.nat(12), expires: fc.nat(4), isAnew: fc.boolean() }), {
    minLength: ids.length,
    maxLength: ids.length
  }),
  cutAt: fc.double({ min: 0, max: 1, noNaN: true })
})

describe("Readers", () => {
  it.prop(
    "account for every event of every session once and in order, whatever their logs and the connections go through",
    [fc.array(stay, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 })],
    ([stays, cap, page]) => {
      // promise 2
      let readers = make()
      const logs = new Map<string, ModelServer.Log>(ids.map((id) => [id, { epoch: "e", oldest: 1, head: 0 }]))
      const all: Array<Readers.Step> = []
      const connect = (cutAt: number) => {
        const asked = (session: string) => {
          const cursor = readers.get(session)?.cursor
          return cursor === undefined ? ReplayPlan.start : ReplayPlan.at(cursor)
        }
        const text = ModelServer.replayMany(logs, asked, cap, page)
        const [next, steps] = read(readers, text.slice(0, Math.ceil(text.length * cutAt)))
        readers = next
        all.push(...steps)
      }
      stays.forEach((step, made) => {
        ids.forEach((id, index) => {
          const change = step.logs[index]
          const log = logs.get(id)
          if (change === undefined || log === undefined) return
          const head = log.head + change.grows
          const grown = { ...log, head, oldest: Math.min(log.oldest + change.expires, head + 1) }
          logs.set(id, change.isAnew ? { epoch: `e${made}`, oldest: 1, head: change.grows } : grown)
        })
        connect(step.cutAt)
      })
      connect(1)

      for (const id of ids) {
        const seen = new Map<string, number>()
        for (const { session, step } of all) {
          if (session !== id) continue
          if (step.type === "event") {
            assert.strictEqual(step.seq, (seen.get(step.epoch) ?? 0) + 1)
            assert.strictEqual(step.data, `${step.epoch}.${step.seq}`)
            seen.set(step.epoch, step.seq)
          }
          if (step.type === "gap") {
            assert.notStrictEqual(step.gap.reason, "unannounced")
            assert.strictEqual(step.gap.after, seen.get(step.gap.epoch) ?? 0)
            seen.set(step.gap.epoch, Math.max(step.gap.next - 1, seen.get(step.gap.epoch) ?? 0))
          }
        }
        const log = logs.get(id)
        assert.strictEqual(seen.get(log?.epoch ?? "") ?? 0, log?.head)
        assert.deepStrictEqual(readers.get(id)?.cursor, { epoch: log?.epoch, seq: log?.head })
      }
    },
    { fastCheck: { numRuns: 200 } }
  )

  it("hear hello and goodbye of the connection once for all, and how each session begins", () => {
    const text = ModelServer.replayMany(
      new Map(ids.map((id) => [id, { epoch: "e", oldest: 1, head: 1 }])),
      () => ReplayPlan.start,
      9,
      9
    )
    const all = said(text + ControlFrame.bye({ reason: "shutdown", retry: 7000 }))
    assert.deepStrictEqual(
      all.flatMap(({ message, session }) => (session === undefined ? [message] : [])),
      [
        { type: "hello", token: "t", heartbeat: 15, retry: 2000 },
        { type: "bye", reason: "shutdown", retry: 7000 }
      ]
    )
    assert.deepStrictEqual(
      all.flatMap(({ message, session }) => (message.type === "opened" ? [[session, message.mode]] : [])),
      ids.map((id) => [id, "started"])
    )
  })

  it("end one by one, and pass over what is of no session, of another one, or no JSON", () => {
    const end = ControlFrame.end({ session: "a", cursor: "e.0", reason: "ended" })
    const others =
      'data: {"session":null,"name":"n","data":"x","at":""}\n\ndata: {"session":"z","epoch":"e","seq":1,"name":"n","data":"x"}\n\ndata: [\n\n'
    const [readers, steps] = read(make(), end + others)
    const cursor = { epoch: "e", seq: 0 }
    assert.deepStrictEqual(steps, [{ session: "a", step: { type: "end", cursor, reason: "ended" } }])
    assert.deepStrictEqual(
      Array.from(readers.keys()),
      ids.filter((id) => id !== "a")
    )
  })

  it("return to the places that they have, all in one Last-Event-ID", () => {
    const fresh = new Map(ids.map((session) => [session, Reader.make()]))
    assert.isUndefined(Readers.places(fresh))
    const [readers] = read(
      fresh,
      ModelServer.replayMany(new Map([["b.x", { epoch: "e", oldest: 1, head: 2 }]]), () => ReplayPlan.start, 9, 9)
    )
    assert.strictEqual(Readers.places(readers), "b-dx.e.2")
  })
})
