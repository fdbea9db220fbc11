import { assert, describe, it } from "@effect/vitest"
import { Either, Schema } from "effect"
import { isSessionId, SessionId } from "../../src/domain/Session.ts"
import { anyText, sessionId } from "../protocol/Arbitraries.ts"

const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-"

describe("a session id", () => {
  it("may have each of A-Z a-z 0-9 . _ ~ : - and no other character", () => {
    const every = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code))
    const accepted = every.filter((char) => isSessionId(`a${char}`))
    assert.deepStrictEqual(accepted, allowed.split("").sort())
  })

  it("has 1 to 128 characters (S65)", () => {
    for (const length of [1, 2, 127, 128]) assert.isTrue(isSessionId("s".repeat(length)))
    for (const length of [0, 129, 1000]) assert.isFalse(isSessionId("s".repeat(length)))
  })

  for (const text of [
    "a/b",
    "a b",
    "a%2Fb",
    "a%20b",
    "a\n",
    "\na",
    "a\nb",
    "a\u0000",
    "ä",
    "a,b",
    "a@1.2",
    "a?b",
    "a#b",
    "a\\b",
    `a"b`
  ]) {
    it(`is not ${JSON.stringify(text)} (S65)`, () => assert.isFalse(isSessionId(text)))
  }

  for (const value of [undefined, null, 7, true, {}, ["a"], new String("a")]) {
    it(`is text, not ${typeof value} ${JSON.stringify(value)}`, () => assert.isFalse(isSessionId(value)))
  }

  it("is neither . nor .., which URL parsers take for steps in the path", () => {
    for (const id of [".", ".."]) assert.isFalse(isSessionId(id))
    for (const id of ["...", ".a", "a."]) assert.isTrue(isSessionId(id))
  })

  it.prop("is accepted exactly when it has nothing but these, 1 to 128 times", [anyText], ([text]) => {
    const isAllowed =
      text.length >= 1 &&
      text.length <= 128 &&
      text.split("").every((char) => allowed.includes(char)) &&
      text !== "." &&
      text !== ".."
    assert.strictEqual(isSessionId(text), isAllowed)
  })

  it.prop("stands in a URL path, in JSON and in a cookie or log line as it is", [sessionId], ([id]) => {
    assert.isTrue(isSessionId(id))
    assert.strictEqual(JSON.stringify(id), `"${id}"`)
    assert.strictEqual(new URL(`http://host/v1/sessions/${id}/stream`).pathname, `/v1/sessions/${id}/stream`)
  })

  it("says what is allowed when it is refused (S65)", () => {
    const refused = Schema.decodeUnknownEither(SessionId)("a/b")
    assert.include(String(Either.getLeft(refused)), "must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -")
  })
})
