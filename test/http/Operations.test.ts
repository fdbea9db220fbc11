import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

const callbackUrl = new URL("http://127.0.0.1:9/callback")

describe("/healthz", () => {
  it.scopedLive('is exactly {"status":"ok"}, as JSON and uncompressed, with a key and without (S143)', () =>
    Effect.gen(function* () {
      for (const apiKey of [undefined, Redacted.make("k")]) {
        const sluice = yield* Sluice.make({ http: { apiKey } })
        const { headers, status, text } = yield* sluice.call("/healthz", { headers: { "Accept-Encoding": "gzip" } })
        assert.deepEqual([status, text], [200, '{"status":"ok"}'])
        assert.match(headers["content-type"] ?? "", /^application\/json/)
        assert.equal(headers["content-encoding"], undefined)
      }
    })
  )
})

describe("/readyz", () => {
  it.scopedLive("is ready when a backend is configured (S144)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ callback: { url: callbackUrl } })
      const ready = { status: "ready", configured: true }
      for (const path of ["/readyz", "/readyz?for=sessions"]) {
        const answer = yield* sluice.call(path)
        assert.deepEqual([answer.status, Call.json(answer)], [200, ready])
      }
    })
  )

  it.scopedLive("without a backend is not ready and says why, but is ready for sessions (S144)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const gateway = yield* sluice.call("/readyz")
      assert.equal(gateway.status, 503)
      const { reasons, ...rest } = Call.json(gateway)
      assert.deepEqual(rest, { status: "not_ready", configured: false })
      assert.ok(Array.isArray(reasons) && reasons.length === 1)
      assert.match(String(reasons), /CALLBACK_URL/)
      const sessions = yield* sluice.call("/readyz?for=sessions")
      assert.deepEqual([sessions.status, Call.json(sessions)], [200, { status: "ready", configured: false }])
      Call.assertError(yield* sluice.call("/readyz?for=nothing"), 400, "INVALID_REQUEST")
    })
  )
})

describe("the page at /", () => {
  it.scopedLive("is HTML that may load nothing from elsewhere", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { headers, status, text } = yield* sluice.call("/")
      assert.equal(status, 200)
      assert.match(headers["content-type"] ?? "", /^text\/html/)
      assert.match(headers["content-security-policy"]?.toString() ?? "", /default-src 'none'/)
      assert.equal(headers["x-content-type-options"], "nosniff")
      assert.doesNotMatch(text, /(?:src|href)="https?:/)
    })
  )
})
