import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck as fc, Redacted } from "effect"
import * as CallbackSignature from "../../src/callback/CallbackSignature.ts"
import { anyText } from "../protocol/Arbitraries.ts"

/** Made with `printf '%s' 'TIMESTAMP.BODY' | openssl dgst -sha256 -hmac 'SECRET'`. */
const vectors: ReadonlyArray<readonly [secret: string, timestamp: string, body: string, hex: string]> = [
  ["s3cret", "1700000000", "{}", "97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf"],
  [
    "s3cret",
    "1700000000",
    `{"action":"connect","token":"é"}`,
    "795fc24d0fc1258004dbcdece93554f909516c543cfbc9d5b2b96e9e38c2ca67"
  ],
  ["schlüssel", "0", "", "6f6812186feeeb2786888548c8b86a000b0905b49f3d9652786736ef422e53af"]
]

const at = (timestamp: string) => Number(timestamp) * 1000

const received = (more: Partial<CallbackSignature.Received> = {}): CallbackSignature.Received => {
  const secret = Redacted.make("s3cret")
  const body = `{"action":"connect"}`
  const signature = CallbackSignature.sign(secret, "1700000000", body)
  return { secret, timestamp: "1700000000", body, signature, now: at("1700000000"), ...more }
}

describe("the signature of a callback", () => {
  for (const [secret, timestamp, body, hex] of vectors) {
    it(`is that of openssl: ${timestamp}.${body}`, () => {
      const shared = Redacted.make(secret)
      const signature = CallbackSignature.sign(shared, timestamp, body)
      assert.strictEqual(signature, `sha256=${hex}`)
      for (const form of [body, Buffer.from(body)]) {
        assert.isTrue(
          CallbackSignature.verify({ secret: shared, timestamp, body: form, signature, now: at(timestamp) })
        )
      }
    })
  }

  const good = received().signature ?? ""
  const bad: ReadonlyArray<readonly [says: string, more: Partial<CallbackSignature.Received>]> = [
    ["missing", { signature: undefined }],
    ["empty", { signature: "" }],
    ["without its scheme", { signature: good.slice("sha256=".length) }],
    ["of another scheme", { signature: good.replace("sha256", "sha1") }],
    ["cut short", { signature: good.slice(0, -2) }],
    ["too long", { signature: `${good}00` }],
    ["in upper case", { signature: good.toUpperCase() }],
    ["of another body", { body: `{"action":"connect" }` }],
    ["of another time", { timestamp: "1700000001" }],
    ["of another secret", { secret: Redacted.make("s3crets") }],
    ["without a time", { timestamp: undefined }],
    ["with a time that is no number", { timestamp: "now" }],
    ["with a time that is written otherwise", { timestamp: "1700000000.0" }]
  ]
  for (const [says, more] of bad) {
    it(`is refused: ${says}`, () => assert.isFalse(CallbackSignature.verify(received(more))))
  }

  it("is good for five minutes either way, as clocks differ", () => {
    for (const [seconds, isGood] of [
      [300, true],
      [-300, true],
      [301, false],
      [-301, false]
    ] as const) {
      const now = at("1700000000") + seconds * 1000
      assert.strictEqual(CallbackSignature.verify(received({ now })), isGood, `${seconds} s`)
    }
  })

  it("is good for as long as the receiver says", () => {
    const now = at("1700000000") + 10_000
    assert.isTrue(CallbackSignature.verify(received({ now, tolerance: "10 seconds" })))
    assert.isFalse(CallbackSignature.verify(received({ now, tolerance: Duration.seconds(9) })))
  })

  it.prop(
    "holds for its body alone, whatever that is",
    { body: anyText, other: anyText, key: fc.string(), seconds: fc.nat() },
    ({ body, key, other, seconds }) => {
      const secret = Redacted.make(key)
      const timestamp = String(seconds)
      const signature = CallbackSignature.sign(secret, timestamp, body)
      const about = { secret, timestamp, signature, now: at(timestamp) }
      assert.isTrue(CallbackSignature.verify({ ...about, body }))
      const isSame = Buffer.from(other).equals(Buffer.from(body))
      assert.strictEqual(CallbackSignature.verify({ ...about, body: other }), isSame)
    }
  )
})
