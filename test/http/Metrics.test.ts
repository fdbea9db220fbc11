import * as assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "@effect/vitest"
import { Effect, Metric, Redacted } from "effect"
import * as RunnableBlocks from "../docs/RunnableBlocks.ts"
import * as Gateway from "../gateway/Gateway.ts"
import * as Exposition from "../telemetry/Exposition.ts"
import { format, grown, read, type Shown } from "../telemetry/Scrape.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

describe("GET /metrics", () => {
  it.scopedLive("is Prometheus text; HEAD has no body, and other methods are 405", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { headers, status, text } = yield* sluice.call("/metrics", { headers: { "Accept-Encoding": "gzip" } })
      assert.deepEqual([status, headers["content-type"], headers["content-encoding"]], [200, format, undefined])
      assert.ok(Exposition.parse(text).length > 10)
      const head = yield* sluice.call("/metrics", { method: "HEAD" })
      assert.deepEqual([head.status, head.headers["content-type"], head.text], [200, format, ""])
      for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
        const answer = yield* sluice.call("/metrics", { method, body: "{}" })
        Call.assertError(answer, 405, "METHOD_NOT_ALLOWED")
        assert.equal(answer.headers.allow, "GET, HEAD")
      }
    })
  )

  it.scopedLive("needs the key when there is one, and a loopback name when there is none (S153)", () =>
    Effect.gen(function* () {
      const guarded = yield* Sluice.make({ http: { apiKey: Redacted.make("s3cret") } })
      for (const headers of [{}, { Authorization: "Bearer wrong" }]) {
        const answer = yield* guarded.call("/metrics", { headers })
        Call.assertError(answer, 401, "UNAUTHORIZED")
        assert.doesNotMatch(answer.text, /sluice_/)
      }
      const answer = yield* guarded.call("/metrics", { headers: { Authorization: "Bearer s3cret" } })
      assert.equal(answer.status, 200)
      const open = yield* Sluice.make()
      Call.assertError(yield* open.call("/metrics", { headers: { Host: "evil.example" } }), 403, "ORIGIN_NOT_ALLOWED")
    })
  )

  for (const [what, env] of [
    ["a gateway that takes every path", { SLUICE_GATEWAY_PATH: "/" }],
    ["profile ssegateway", { SLUICE_GATEWAY_PROFILE: "ssegateway" }]
  ] as const) {
    it.scopedLive(`is no stream of ${what}, and the backend is not asked`, () =>
      Effect.gen(function* () {
        const gateway = yield* Gateway.make({ env })
        yield* read(gateway)
        assert.deepEqual(gateway.backend.calls(), [])
      })
    )
  }

  it.scopedLive("shows each counter before it counts, so that no rate misses the first one", () =>
    Effect.gen(function* () {
      const shown = yield* read(yield* Sluice.make())
      for (const [name, label, values] of [
        ["sse_gateway_connections_total", "action", ["connect", "disconnect"]],
        [
          "sluice_actor_failures_total",
          "actor",
          ["session", "connection", "store_writer", "journal_writer", "disconnect_outbox"]
        ],
        ["sluice_callback_errors_total", "kind", ["refused", "redirected", "timeout", "unavailable"]],
        ["sluice_callback_duration_seconds_count", "action", ["connect", "disconnect", "message"]],
        ["sluice_disconnects_total", "outcome", ["delivered", "retried", "given_up"]]
      ] as const) {
        for (const value of values) assert.ok(shown(name, { [label]: value }) >= 0)
      }
      for (const status of ["success", "error"]) {
        assert.ok(shown("sse_gateway_events_sent_total", { service: "default", status }) >= 0)
      }
    })
  )

  it.scopedLive("has the gauges of the server that is asked, and the counters of the process", () =>
    Effect.gen(function* () {
      const one = yield* Sluice.make()
      const other = yield* Sluice.make()
      const earlier = yield* read(other)
      yield* one.add("a", { data: 1 })
      for (const session of ["a", "b"]) yield* Effect.flatMap(one.watch(session), (client) => client.take(1))
      const [ones, others] = [yield* read(one), yield* read(other)]
      const gauges = (shown: Shown) => [shown("sluice_connections"), shown("sluice_session_actors")]
      assert.deepEqual(
        [gauges(ones), gauges(others)],
        [
          [2, 2],
          [0, 0]
        ]
      )
      assert.equal(grown(earlier, others)("sluice_appends_total", {}), 1)
      assert.equal(grown(earlier, ones)("sluice_appends_total", {}), 1)
    })
  )
})

describe("docs/deploy.md", () => {
  const page = readFileSync(new URL("../../docs/deploy.md", import.meta.url), "utf8")
  const section = page.slice(page.indexOf("\n## 7. Metrics\n"))
  const rows = Array.from(
    section.matchAll(/^\| `([a-z_]+)` \| (\w+) \|([^|]*)\|/gm),
    ([, name, type, labels = ""]) => ({
      name,
      type,
      labels: Array.from(labels.matchAll(/`(\w+)`/g), ([, label]) => label)
    })
  )

  it.scopedLive("has a table of all metrics that /metrics shows, with type and labels, and of no other", () =>
    Effect.gen(function* () {
      Metric.counter("other_total").register() // the embedding program's
      const { text } = yield* (yield* Sluice.make()).call("/metrics")
      const shown = Exposition.parse(text).map(({ name, samples, type }) => ({
        name,
        type,
        labels: [...(samples[0]?.labels.keys() ?? assert.fail(`${name} has no series`))].filter(
          (label) => label !== "le"
        )
      }))
      const byName = (one: { readonly name?: string | undefined }, other: { readonly name?: string | undefined }) =>
        (one.name ?? "") < (other.name ?? "") ? -1 : 1
      assert.deepEqual(rows.sort(byName), shown.sort(byName))
    })
  )

  it("has alerts on metrics and labels of that table", () => {
    const alerts = RunnableBlocks.fences(section).filter(({ text }) => text.includes("alert:"))
    const names = alerts.flatMap(({ text }) =>
      Array.from(text.matchAll(/\b(?:sluice|sse_gateway)_[a-z_]+/g), ([name]) => name)
    )
    assert.ok(names.length >= 3)
    for (const name of names)
      assert.ok(
        rows.some((row) => row.name === name.replace(/_bucket$/, "")),
        name
      )
  })
})
