import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Call from "./Call.ts"
import * as RawSocket from "./RawSocket.ts"
import * as Sluice from "./Sluice.ts"

const key = "s3cret-key"
const bearer = { Authorization: `Bearer ${key}` }
const guarded = Sluice.make({ http: { apiKey: Redacted.make(key) } })

const routes: ReadonlyArray<readonly [method: string, path: string]> = [
  ["POST", "/v1/sessions/a/events"],
  ["GET", "/v1/sessions/a/events"],
  ["GET", "/v1/sessions/a/stream"],
  ["GET", "/v1/stream?session=a"],
  ["GET", "/v1/sessions"],
  ["GET", "/v1/sessions/a"],
  ["DELETE", "/v1/sessions/a"],
  ["POST", "/v1/connections/t/watch"],
  ["POST", "/v1/connections/t/unwatch"],
  ["GET", "/v1/nope"]
]

const wrong = [
  "",
  "Bearer",
  "Bearer ",
  "Bearer wrong",
  `Bearer ${key}x`,
  `Bearer ${key.slice(1)}`,
  `Basic ${key}`,
  key,
  `Bearer x ${key}`
]

describe("with an API key", () => {
  for (const [method, path] of routes) {
    it.scopedLive(`${method} ${path} is 401 without it and with a wrong one (S153)`, () =>
      Effect.gen(function* () {
        const sluice = yield* guarded
        const call = (headers: Readonly<Record<string, string>>) =>
          sluice.call(path, { method, headers, ...(method === "POST" ? { body: '{"data":1}' } : {}) })
        for (const headers of [{}, ...wrong.map((value) => ({ Authorization: value })), { "X-Api-Key": key }]) {
          const answer = yield* call(headers)
          Call.assertError(answer, 401, "UNAUTHORIZED")
          assert.equal(answer.headers["www-authenticate"], "Bearer")
          assert.ok(!answer.text.includes(key))
        }
        Call.assertError(yield* sluice.call("/v1/sessions/a", { headers: bearer }), 404, "SESSION_NOT_FOUND")
      })
    )
  }

  it.scopedLive("every route works with it, whatever the case of the scheme (S153)", () =>
    Effect.gen(function* () {
      const sluice = yield* guarded
      for (const scheme of ["Bearer", "bearer", "BEARER"]) {
        const answer = yield* sluice.append("a", { data: 1 }, { Authorization: `${scheme} ${key}` })
        assert.equal(answer.status, 201)
      }
      const client = yield* sluice.watch("a", "from=start", bearer)
      yield* client.named("sluice.live")
      assert.equal(Sluice.dataOf(client.events()).length, 3)
      assert.equal((yield* sluice.call("/v1/sessions", { headers: bearer })).status, 200)
      assert.equal((yield* sluice.call("/v1/sessions/a/events", { headers: bearer })).status, 200)
      assert.equal((yield* sluice.call("/v1/sessions/a", { method: "DELETE", headers: bearer })).status, 204)
    })
  )

  it.scopedLive("health, readiness, the page and the client need none (S143, S144)", () =>
    Effect.gen(function* () {
      const sluice = yield* guarded
      for (const path of ["/healthz", "/readyz?for=sessions", "/", "/client.js"]) {
        assert.equal((yield* sluice.call(path)).status, 200, path)
      }
    })
  )

  for (const target of [
    "/V1/sessions",
    "/v1/SESSIONS",
    "//v1/sessions",
    "/v1//sessions",
    "/v1/sessions/",
    "/%761/sessions",
    "/v%31/sessions",
    "/v1%2Fsessions",
    "/./v1/sessions",
    "/x/../v1/sessions",
    "/readyz/../v1/sessions",
    "/v1;x/sessions",
    "/v1/sessions?x=/healthz",
    "/v1/sessions#/healthz",
    "http://127.0.0.1/v1/sessions",
    "HTTP://127.0.0.1/V1/sessions"
  ]) {
    it.scopedLive(`no other spelling of a route goes round it: ${target} (S153)`, () =>
      Effect.gen(function* () {
        const sluice = yield* guarded
        assert.equal((yield* sluice.append("secret-session", { data: 1 }, bearer)).status, 201)
        for (const [method, below] of [
          ["GET", ""],
          ["DELETE", "/secret-session"]
        ] as const) {
          const socket = yield* RawSocket.open(sluice.url)
          const line = `${method} ${target.replace("sessions", `sessions${below}`).replace("SESSIONS", `sessions${below}`)} HTTP/1.1`
          yield* socket.write(RawSocket.head(line, ["Connection: close"]))
          const text = yield* socket.closed
          assert.match(text, /^HTTP\/1\.1 (?:400|401|404|405) /)
          assert.ok(!text.includes("secret-session"))
        }
        assert.equal((yield* sluice.call("/v1/sessions/secret-session", { headers: bearer })).status, 200)
      })
    )
  }
})
