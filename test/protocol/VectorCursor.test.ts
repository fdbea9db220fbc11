import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, Schema } from "effect"
import * as Frame from "../../src/protocol/Frame.ts"
import * as FrameDecoder from "../../src/protocol/FrameDecoder.ts"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"
import { anyText, cursor, cuts, sessionId } from "./Arbitraries.ts"
import { cutText } from "./StandardReader.ts"

const vector = fc
  .uniqueArray(fc.tuple(sessionId, cursor), { minLength: 1, maxLength: 100, selector: ([session]) => session })
  .map((entries) => new Map(entries))

const nearMiss = fc
  .tuple(vector, fc.nat(), fc.nat(3), fc.oneof(anyText, fc.constantFrom("_", ".", "-", "-x", "--", "~", "A")))
  .map(([places, at, removed, inserted]) => {
    const text = VectorCursor.format(places)
    const index = at % (text.length + 1)
    return text.slice(0, index) + inserted + text.slice(index + removed)
  })

describe("VectorCursor", () => {
  it("is SESSION.EPOCH.SEQ for each session, joined by an underscore", () => {
    const places = new Map([
      ["a", { epoch: "k3x9", seq: 7 }],
      ["b.c_d~e:f-g", { epoch: "z", seq: 0 }]
    ])
    assert.strictEqual(VectorCursor.format(places), "a.k3x9.7_b-dc-ud-te-cf--g.z.0")
  })

  it.prop("comes back as it was written, in order, in safe bytes only", { vector }, ({ vector }) => {
    const text = VectorCursor.format(vector)
    assert.match(text, /^[A-Za-z0-9._-]+$/)
    assert.deepStrictEqual(Array.from(VectorCursor.parse(text) ?? []), Array.from(vector))
  })

  it("carries every character of a session id, alone and beside every other", () => {
    const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-".split("")
    const sessions = characters.flatMap((one) => [one, ...characters.map((other) => one + other)])
    const places = new Map(sessions.map((session, seq) => [session, { epoch: "e", seq }]))
    const text = VectorCursor.format(places)
    assert.match(text, /^[A-Za-z0-9._-]+$/)
    assert.deepStrictEqual(VectorCursor.parse(text), places)
  })

  it.prop("can be joined from entries that are kept, as a connection does", { vector }, ({ vector }) => {
    const entries = Array.from(vector, ([session, place]) => VectorCursor.formatEntry(session, place))
    assert.strictEqual(VectorCursor.joinEntries(entries), VectorCursor.format(vector))
  })

  it.prop(
    "has one spelling: what is read is written the same again (S80)",
    { text: fc.oneof(nearMiss, anyText) },
    ({ text }) => {
      const parsed = VectorCursor.parse(text)
      if (parsed !== undefined) assert.strictEqual(VectorCursor.format(parsed), text)
    },
    { fastCheck: { numRuns: 1000 } }
  )

  const refused = [
    ["nothing", ""],
    ["a cursor without session", "k3x9.7"],
    ["a session without cursor", "a"],
    ["an empty session", ".e.1"],
    ["an empty piece", "a.e.1__b.e.1"],
    ["a piece cut off at the end", "a.e.1_"],
    ["a piece cut off at the beginning", "_a.e.1"],
    ["one bad piece among good ones", "a.e.1_b.e.01"],
    ["a session twice", "a.e.1_b.e.1_a.e.2"],
    ["a session twice at the same place", "a.e.1_a.e.1"],
    ["an unknown escape", "a-x.e.1"],
    ["half an escape", "a-.e.1"],
    ["a byte of a session id that must be escaped", "a~b.e.1"],
    ["a dot that is not escaped", "a.b.e.1"],
    ["a number that is not safe", "a.e.9007199254740992"],
    ["a line end", "a.e.1\n"],
    ["a space", "a.e.1_ b.e.1"]
  ] as const
  for (const [what, text] of refused) {
    it(`refuses ${what} (S80)`, () => assert.isUndefined(VectorCursor.parse(text)))
  }
})

type Place = readonly [session: string, seq: number]

const sessions = ["m1", "m.2", "m~3"] as const
const idBlock = (places: ReadonlyMap<string, number>): string =>
  Frame.idOnly(VectorCursor.format(new Map(Array.from(places, ([session, seq]) => [session, { epoch: "e", seq }]))))

/** What one write of a stream over several sessions holds: event frames, and the id-only block that closes it (S51). */
const write = (events: ReadonlyArray<Place>, places: ReadonlyMap<string, number>): string =>
  events
    .map(([session, seq]) =>
      Frame.wrapped({ session, epoch: "e", seq, name: "n", data: `${seq}\r\n`, at: "2026-01-02T03:04:05.678Z" })
    )
    .join("") + idBlock(places)

const Wrapped = Schema.parseJson(Schema.Struct({ session: Schema.String, seq: Schema.Number }))

const placesIn = (decoded: ReadonlyArray<FrameDecoder.Decoded>): ReadonlyArray<Place> =>
  decoded.flatMap((it) => {
    if (it._tag !== "Event") return []
    const { seq, session } = Schema.decodeUnknownSync(Wrapped)(it.data)
    return [[session, seq]]
  })

/** What a client keeps: nothing that it has by `seq`. */
const withoutRepeats = (places: ReadonlyArray<Place>): ReadonlyArray<Place> => {
  const last = new Map<string, number>()
  return places.filter(([session, seq]) => {
    const isNew = seq > (last.get(session) ?? 0)
    if (isNew) last.set(session, seq)
    return isNew
  })
}

describe("a stream over several sessions that breaks", () => {
  it.prop(
    "at any byte is resumed by the last id: each event comes once, and twice only those of the broken write (S52)",
    {
      turns: fc.array(fc.array(fc.constantFrom(...sessions), { minLength: 1, maxLength: 4 }), {
        minLength: 1,
        maxLength: 4
      }),
      at: cuts
    },
    ({ at, turns }) => {
      const places = new Map<string, number>(sessions.map((session) => [session, 0]))
      const begin = idBlock(places) // stands for the id of `sluice.hello`
      const writes = turns.map((turn) => {
        const events = turn.map((session): Place => {
          const seq = (places.get(session) ?? 0) + 1
          places.set(session, seq)
          return [session, seq]
        })
        return { events, text: write(events, places) }
      })
      const sent = writes.flatMap(({ events }) => events)

      let start = begin.length
      const whole = begin + writes.map(({ text }) => text).join("")
      for (const { events, text } of writes) {
        for (let broken = start; broken < start + text.length; broken++) {
          const reader = FrameDecoder.make()
          const before = cutText(whole.slice(0, broken), at).flatMap((chunk) => placesIn(reader.feed(chunk)))
          const resumed = VectorCursor.parse(reader.lastId())
          const again = sent.filter(([session, seq]) => seq > (resumed?.get(session)?.seq ?? 0))

          assert.deepStrictEqual(withoutRepeats([...before, ...again]), sent)
          const twice = again.filter(([session, seq]) => before.some((had) => had[0] === session && had[1] === seq))
          assert.includeDeepMembers([...events], [...twice])
        }
        start += text.length
      }
    },
    { fastCheck: { numRuns: 20 } }
  )
})
