import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Sluice from "./Sluice.ts"

const page = Effect.flatMap(Sluice.make(), ({ call }) => call("/"))

describe("the page", () => {
  it.scopedLive("loads the client of its own server, nothing from elsewhere, and may not", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* page
      assert.equal(status, 200)
      assert.equal(headers["content-type"], "text/html; charset=utf-8")
      const policy = String(headers["content-security-policy"])
      assert.match(policy, /default-src 'none'.*script-src 'self' 'unsafe-inline'; connect-src 'self'/)
      assert.deepEqual(text.match(/\bimport\b.*/g), ['import { connect, sharedConnection } from "/client.js"'])
      assert.doesNotMatch(text, /\b(?:src|href)=|@import|\burl\(/)
    })
  )

  it.scopedLive("shows data as text only: what a producer sends is never markup", () =>
    Effect.gen(function* () {
      const { text } = yield* page
      assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/)
    })
  )

  it.scopedLive("has a label for each field, and says its state to those who hear it", () =>
    Effect.gen(function* () {
      const { text } = yield* page
      const fields = Array.from(text.matchAll(/<(?:input|select|textarea) id="(\w+)"/g), ([, id]) => id)
      assert.deepEqual(fields, ["session", "from", "key", "text", "name", "data"])
      for (const id of fields) assert.ok(text.includes(`<label for="${id}"`), id)
      assert.match(text, /role="status" aria-live="polite"><span id="label">/)
    })
  )
})
