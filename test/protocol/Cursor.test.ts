import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import * as Cursor from "../../src/protocol/Cursor.ts"
import { anyText, cursor } from "./Arbitraries.ts"

/** Near misses: a cursor with something put in, taken out or repeated. */
const nearMiss = fc
  .tuple(cursor, fc.nat(), fc.nat(3), fc.oneof(anyText, fc.constantFrom("0", ".", "-", "_", "A", "\n", "9".repeat(16))))
  .map(([place, at, removed, inserted]) => {
    const text = Cursor.format(place)
    const index = at % (text.length + 1)
    return text.slice(0, index) + inserted + text.slice(index + removed)
  })

describe("Cursor", () => {
  it("is written epoch.seq", () => {
    assert.strictEqual(Cursor.format({ epoch: "k3x9", seq: 7 }), "k3x9.7")
    assert.deepStrictEqual(Cursor.parse("k3x9.7"), { epoch: "k3x9", seq: 7 })
  })

  it.prop("comes back as it was written, in bytes that every proxy and CORS let through", { cursor }, ({ cursor }) => {
    const text = Cursor.format(cursor)
    assert.match(text, /^[A-Za-z0-9._-]+$/)
    assert.deepStrictEqual(Cursor.parse(text), cursor)
  })

  it.prop(
    "has one spelling: what is read is written the same again (S80)",
    { text: fc.oneof(nearMiss, anyText) },
    ({ text }) => {
      const parsed = Cursor.parse(text)
      if (parsed !== undefined) assert.strictEqual(Cursor.format(parsed), text)
    },
    { fastCheck: { numRuns: 1000 } }
  )

  const refused = [
    "",
    ".",
    "k3x9",
    "k3x9.",
    ".7",
    "7",
    "k3x9.7.8",
    "k3x9.07",
    "k3x9.00",
    "k3x9.-1",
    "k3x9.+1",
    "k3x9.1e3",
    "k3x9.0x1",
    "k3x9.1.0",
    "k3x9.٣",
    "K3X9.7",
    "k3-x9.7",
    "k3_x9.7",
    "é.7",
    " k3x9.7",
    "k3x9.7 ",
    "k3x9.7\n",
    "k3x9.7\u0000",
    "k3x9\n.7",
    "k3x9.7\nk3x9.8",
    `${"e".repeat(33)}.7`,
    "null",
    "undefined",
    "k3x9.NaN",
    "k3x9.Infinity"
  ]
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)} (S80)`, () => assert.isUndefined(Cursor.parse(text)))
  }

  it("refuses a number that a double cannot hold exactly", () => {
    assert.deepStrictEqual(Cursor.parse("e.9007199254740991"), { epoch: "e", seq: 9007199254740991 })
    for (const digits of [
      "9007199254740992",
      "9007199254740993",
      "9999999999999999",
      "10000000000000000",
      "9".repeat(400)
    ]) {
      assert.isUndefined(Cursor.parse(`e.${digits}`))
    }
  })

  it("has a place before a log that does not exist, which can be written and read", () => {
    assert.strictEqual(Cursor.format(Cursor.origin), "0.0")
    assert.deepStrictEqual(Cursor.parse("0.0"), Cursor.origin)
    assert.isTrue(Cursor.isOrigin(Cursor.origin))
    assert.isFalse(Cursor.isOrigin({ epoch: "k3x9", seq: 0 }))
  })
})
