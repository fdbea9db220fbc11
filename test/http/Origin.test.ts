import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

const listed = "https://app.example"
const other = "https://evil.example"

const corsOf = ({ headers }: Pick<Call.Answer, "headers">) =>
  Object.keys(headers).filter((name) => name.startsWith("access-control-"))

describe("on loopback, without a key", () => {
  for (const host of [
    "evil.example",
    "evil.example:3000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "[::2]",
    "localhost@evil.example"
  ]) {
    it.scopedLive(
      `a request for the host ${host} is 403 on every route: its name was made to point here (design §10)`,
      () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make()
          const paths = ["/", "/client.js", "/v1/sessions", "/v1/sessions/a", "/v1/sessions/a/stream"]
          for (const path of [...paths, "/v1/stream?session=a"]) {
            const details = Call.assertError(
              yield* sluice.call(path, { headers: { Host: host } }),
              403,
              "ORIGIN_NOT_ALLOWED"
            )
            assert.equal(details["header"], "Host")
          }
          Call.assertError(yield* sluice.append("a", { data: 1 }, { Host: host }), 403, "ORIGIN_NOT_ALLOWED")
          Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
        })
    )
  }

  it.scopedLive("every name of loopback is served, and health and readiness under any name", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      for (const host of [
        "localhost",
        "LOCALHOST:3000",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.8.9.1",
        "[::1]:3000",
        "[::1]"
      ]) {
        assert.equal((yield* sluice.call("/v1/sessions", { headers: { Host: host } })).status, 200, host)
      }
      for (const path of ["/healthz", "/readyz?for=sessions"]) {
        assert.equal((yield* sluice.call(path, { headers: { Host: "probe.internal" } })).status, 200)
      }
    })
  )

  it.scopedLive("a page of another origin is 403, also one without an origin of its own; our own page is served", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const host = new URL(sluice.url).host
      for (const origin of [other, "null", `http://${host}.evil.example`, "http://localhost:1", ""]) {
        for (const path of ["/v1/sessions", "/v1/sessions/a/stream"]) {
          const answer = yield* sluice.call(path, { headers: { Origin: origin } })
          assert.equal(Call.assertError(answer, 403, "ORIGIN_NOT_ALLOWED")["header"], "Origin")
        }
        // A form needs no preflight: this is the only fence.
        const form = yield* sluice.append("a", { data: 1 }, { Origin: origin, "Content-Type": "text/plain" })
        assert.deepEqual(corsOf(form), [])
        Call.assertError(form, 403, "ORIGIN_NOT_ALLOWED")
      }
      for (const origin of [`http://${host}`, `https://${host}`]) {
        assert.equal((yield* sluice.append("a", { data: 1 }, { Origin: origin })).status, 201)
      }
    })
  )
})

const preflight = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type" }

for (const [says, http] of [
  ["without a key", {}],
  ["with a key", { apiKey: Redacted.make("k") }]
] as const) {
  const sluiceWith = (...corsOrigins: ReadonlyArray<string>) => Sluice.make({ http: { ...http, corsOrigins } })
  const headers = { Authorization: "Bearer k" }

  describe(`CORS ${says}`, () => {
    it.scopedLive("lets a listed origin's page read answers, errors and streams, and varies by Origin (S153)", () =>
      Effect.gen(function* () {
        const sluice = yield* sluiceWith(listed, "https://two.example")
        const Origin = listed
        const answers = [
          yield* sluice.append("a", { data: 1 }, { Origin, ...headers }),
          yield* sluice.call("/v1/sessions", { headers: { Origin, ...headers } }),
          yield* sluice.call("/v1/sessions/none", { headers: { Origin, ...headers } }),
          yield* sluice.append("a", "{", { Origin, ...headers }),
          yield* sluice.watch("a", "", { Origin, ...headers })
        ]
        assert.deepEqual(
          answers.map(({ status }) => status),
          [201, 200, 404, 400, 200]
        )
        for (const answer of answers) {
          assert.equal(answer.headers["access-control-allow-origin"], listed)
          assert.equal(answer.headers["access-control-expose-headers"], "Retry-After")
          assert.match(answer.headers.vary ?? "", /\bOrigin\b/)
          assert.equal(answer.headers["access-control-allow-credentials"], undefined)
        }
        const refused = yield* sluice.call("/v1/sessions", { headers: { Origin, Authorization: "Bearer wrong" } })
        assert.equal(refused.headers["access-control-allow-origin"], listed)
      })
    )

    it.scopedLive("answers a listed origin's preflight for every header that the contract has (S153)", () =>
      Effect.gen(function* () {
        const sluice = yield* sluiceWith(listed)
        for (const path of ["/v1/sessions/a/events", "/v1/sessions/a", "/v1/stream", "/v1/connections/t/watch"]) {
          const answer = yield* sluice.call(path, { method: "OPTIONS", headers: { Origin: listed, ...preflight } })
          assert.deepEqual([answer.status, answer.text], [204, ""])
          assert.equal(answer.headers["access-control-allow-origin"], listed)
          const allowed = String(answer.headers["access-control-allow-headers"]).toLowerCase().split(/, ?/)
          for (const name of ["authorization", "content-type", "idempotency-key", "if-match", "last-event-id"]) {
            assert.ok(allowed.includes(name), name)
          }
          const methods = String(answer.headers["access-control-allow-methods"]).split(/, ?/)
          for (const method of ["GET", "POST", "PUT", "DELETE"]) assert.ok(methods.includes(method), method)
        }
      })
    )

    it.scopedLive("shows no header of it to another origin, by preflight neither (S153)", () =>
      Effect.gen(function* () {
        for (const sluice of [yield* sluiceWith(), yield* sluiceWith(listed)]) {
          for (const Origin of [other, `${listed}.evil.example`, "http://app.example", `${listed}:444`, "null"]) {
            const answers = [
              yield* sluice.call("/v1/sessions", { headers: { Origin, ...headers } }),
              yield* sluice.append("a", { data: 1 }, { Origin, ...headers }),
              yield* sluice.call("/v1/sessions/a/events", { method: "OPTIONS", headers: { Origin, ...preflight } })
            ]
            for (const answer of answers) assert.deepEqual(corsOf(answer), [])
          }
        }
      })
    )

    it.scopedLive("of * lets every origin read (S153)", () =>
      Effect.gen(function* () {
        const sluice = yield* sluiceWith("*")
        const answer = yield* sluice.call("/v1/sessions", { headers: { Origin: other, ...headers } })
        assert.equal(answer.status, 200)
        assert.match(String(answer.headers["access-control-allow-origin"]), /^(?:\*|https:\/\/evil\.example)$/)
      })
    )
  })
}
