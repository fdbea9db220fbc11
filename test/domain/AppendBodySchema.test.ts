import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc, Predicate, Schema } from "effect"
import * as AppendBody from "../../src/domain/AppendBody.ts"
import { anyText } from "../protocol/Arbitraries.ts"

const limit = 1_048_576

const times = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth))

/** The documented shape; `exact`, since JSON has no undefined: data that is absent is absent, not unknown. */
const isDocumented = Schema.decodeUnknownEither(AppendBody.AppendBody, { exact: true })

/** Where `parse` is stricter than the shape: what a name may hold, how deep data is. (Size, and a body of both forms: AppendBody.test.ts.) */
const isStrictlyRefused = (member: unknown): boolean => {
  if (!Predicate.isRecord(member)) return false
  const { data, name } = member
  const isBadName =
    typeof name === "string" && (Array.from(name).some((char) => char < " ") || name.startsWith("sluice."))
  return isBadName || depth(data) > 64
}

const depth = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0

const members = (body: unknown): ReadonlyArray<unknown> =>
  Predicate.hasProperty(body, "events") ? (Array.isArray(body.events) ? body.events : []) : [body]

const meant = (member: unknown) => {
  assert.isTrue(Predicate.isRecord(member))
  if (!Predicate.isRecord(member)) return undefined
  const { data, name } = member
  return {
    name: name === undefined || name === "" ? "message" : name,
    data: typeof data === "string" ? data : JSON.stringify(data)
  }
}

const anyName = fc.oneof(
  anyText,
  fc.constantFrom("", "message", "delta", "sluice.", "sluice.x", "sluice", "n".repeat(256), "n".repeat(257)),
  fc.jsonValue()
)
const anyData = fc.oneof(anyText, fc.jsonValue(), fc.constantFrom(63, 64, 65, 66).map(nested))
const anyMember = fc.oneof(
  { weight: 8, arbitrary: fc.record({ name: anyName, data: anyData, extra: fc.jsonValue() }, { requiredKeys: [] }) },
  {
    weight: 8,
    arbitrary: fc.record({ name: fc.constantFrom("a", "b", ""), data: anyData }, { requiredKeys: ["data"] })
  },
  { weight: 1, arbitrary: fc.jsonValue() }
)
const anyBody = fc.oneof(
  anyMember,
  fc.record({ events: fc.array(anyMember, { maxLength: 4 }) }),
  fc.record({ events: fc.jsonValue() }),
  fc.jsonValue()
)

const assertTwins = (text: string): void => {
  const body: unknown = JSON.parse(text)
  if (Predicate.hasProperty(body, "events") && Predicate.hasProperty(body, "data")) return
  const parsed = AppendBody.parse(text, limit)
  const isAllowed = Either.isRight(isDocumented(body)) && !members(body).some(isStrictlyRefused)
  assert.strictEqual(Either.isRight(parsed), isAllowed)
  if (Either.isRight(parsed)) assert.deepStrictEqual<unknown>(parsed.right, members(body).map(meant))
  else assert.match(parsed.left.message, /^(?:body|name|data|events(?:\[\d+\](?:\.name|\.data)?)?) must ./)
}

describe("the documented shape and the parser", () => {
  it.prop(
    "agree over arbitrary JSON, and every refusal names its field and what is allowed (S65)",
    { body: anyBody },
    ({ body }) => {
      assertTwins(JSON.stringify(body))
    },
    { fastCheck: { numRuns: 2000 } }
  )

  it.prop("agree over bodies made from the shape", [AppendBody.AppendBody], ([body]) =>
    assertTwins(JSON.stringify(body))
  )

  it("agree at the bounds of the list and of the name", () => {
    for (const count of [0, 1, 1000, 1001]) assertTwins(JSON.stringify({ events: times(count, { data: 1 }) }))
    for (const length of [256, 257]) assertTwins(JSON.stringify({ name: "é".repeat(length), data: 1 }))
  })
})
