import * as assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { BackendRefused } from "../../src/callback/Callbacks.ts"
import * as CallbackSignature from "../../src/callback/CallbackSignature.ts"
import * as HttpCallbacks from "../../src/callback/HttpCallbacks.ts"
import * as Receiver from "./Receiver.ts"

const secret = "a secret of both"

const body = `{"action":"connect","token":"t","request":{"url":"/sse/x?user=ada","headers":{}}}`

/** The status that a call gets which is not ours, or not any more. */
const post = (url: string, headers: Record<string, string>, text = body) =>
  Effect.promise(() => fetch(url, { method: "POST", body: text, headers })).pipe(Effect.map(({ status }) => status))

const signature = (timestamp: string, key = secret) => ({
  [CallbackSignature.timestampHeader]: timestamp,
  [CallbackSignature.signatureHeader]: CallbackSignature.sign(Redacted.make(key), timestamp, body)
})

const pythonIsMissing = spawnSync("python3", ["--version"]).status !== 0

const cases: ReadonlyArray<readonly [name: Receiver.Name, isMissing: boolean]> = [
  ["receiver.mjs", false],
  ["receiver.py", pythonIsMissing],
  ["receiver.ts", false]
]

for (const [name, isMissing] of cases) {
  const skipped = isMissing ? " (skipped: python3 is not installed)" : ""
  describe.skipIf(isMissing)(`docs/examples/callbacks/${name}${skipped}`, () => {
    it.scopedLive("answers callbacks that are signed, and no others (S17)", () =>
      Effect.gen(function* () {
        const url = `${yield* Receiver.start(name, secret)}/callback`
        const { connect, disconnect } = yield* HttpCallbacks.make({
          url: new URL(url),
          timeout: Duration.seconds(20),
          secret: Redacted.make(secret),
          sendSecret: false
        })
        const request = `{"url":"/sse/x?user=ad%C3%A9","headers":{"cookie":"é=1"}}`
        const answer = yield* connect({ token: "t", request })
        assert.equal(answer.requestId, "adé")
        assert.deepEqual(answer.events, [{ name: "welcome", data: "hello adé" }])
        yield* disconnect({ token: "t", request, reason: "client_closed" })
        const refused = yield* Effect.flip(connect({ token: "t", request: `{"url":"/sse/x","headers":{}}` }))
        assert.ok(refused instanceof BackendRefused)
        assert.equal(refused.status, 403)

        const now = Math.floor(Date.now() / 1000)
        assert.equal(yield* post(url, signature(String(now))), 200)
        const bad = {
          "nothing is signed": post(url, {}),
          "the body is another": post(url, signature(String(now)), body.replace("ada", "eve")),
          "the secret is another": post(url, signature(String(now), "guessed")),
          "it is too old": post(url, signature(String(now - 310))),
          "its time is to come": post(url, signature(String(now + 310))),
          "its time is no number": post(url, signature("now")),
          "its time was changed": post(url, { ...signature(String(now - 310)), "X-Sluice-Timestamp": String(now) }),
          "its signature is cut off": post(url, { ...signature(String(now)), "X-Sluice-Signature": "sha256=" })
        }
        const statuses = yield* Effect.all(bad)
        assert.deepEqual(statuses, Object.fromEntries(Object.keys(bad).map((why) => [why, 401])))
      })
    )
  })
}
