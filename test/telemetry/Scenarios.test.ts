import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as Gateway from "../gateway/Gateway.ts"
import * as Sluice from "../http/Sluice.ts"
import * as Exposition from "./Exposition.ts"
import { grown, read } from "./Scrape.ts"

describe("the metrics of the gateway", () => {
  it.scopedLive("count 20 connects and 5 ends, and show 15 open streams, as the list does (S145)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const earlier = yield* read(gateway)
      gateway.backend.onConnect(({ request }) => {
        if (request.url.startsWith("/sse/refused")) return Effect.succeed(TestBackend.answer(403))
        if (request.url.startsWith("/sse/reset")) return Effect.succeed(TestBackend.reset)
        const id = request.url.startsWith("/sse/same") ? { request_id: "same" } : {}
        return Effect.succeed(TestBackend.acceptWith(id))
      })
      const streams = yield* Effect.all(Array.from({ length: 18 }, () => gateway.accepted()))
      const [leaves, closed, closedByOperator, last] = streams
      assert.ok(leaves && closed && closedByOperator && last)
      const replaced = yield* gateway.accepted("/sse/same")
      yield* gateway.accepted("/sse/same")
      assert.equal((yield* gateway.open("/sse/refused")).status, 403)
      assert.equal((yield* gateway.open("/sse/reset")).status, 503)
      yield* leaves.client.abort
      yield* gateway.mustSend({ token: closed.token, close: true })
      yield* gateway.mustSend({ token: last.token, event: { data: "bye" }, close: true })
      yield* gateway.call(`/v1/connections/${closedByOperator.token}`, { method: "DELETE" })
      for (const { token } of [leaves, closed, closedByOperator, last, replaced]) yield* gateway.untilGone(token)
      yield* gateway.backend.disconnects(6) // one is that of the reset connect, which opened no stream

      const later = yield* read(gateway)
      const count = (action: string) => grown(earlier, later)("sse_gateway_connections_total", { action })
      assert.deepEqual([count("connect"), count("disconnect")], [20, 5])
      assert.deepEqual([later("sluice_connections"), (yield* gateway.connections).length], [15, 15])
      const { text } = yield* gateway.call("/metrics")
      const family = Exposition.parse(text).find(({ name }) => name === "sse_gateway_connections_total")
      assert.deepEqual(
        family?.samples.map(({ labels }) => [...labels.keys()]),
        [["action"], ["action"]]
      )
    })
  )

  it.scopedLive("count each send once by service and outcome, and time it once, whomever it is for (S146)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { token } = yield* gateway.accepted()
      yield* gateway.accepted()
      const event = { data: "x" }
      // Known from its first send on; before that it has no series.
      for (const service of ["version", "task", "news"]) yield* gateway.mustSend({ token, event, service })
      const earlier = yield* read(gateway)
      for (let n = 0; n < 3; n++) yield* gateway.mustSend({ token, event, service: "version" })
      yield* gateway.mustSend({ request_id: null, event, service: "task" })
      assert.equal((yield* gateway.send({ token: "nobody", event, service: "task" })).status, 404)
      assert.equal((yield* gateway.send({ request_id: "nobody", event, service: "task" })).status, 404)
      yield* gateway.mustSend({ token, event })
      yield* gateway.mustSend({ token, service: "version" }) // no event: nothing is sent
      assert.equal((yield* gateway.post("/v1/broadcast", { data: "y", service: "news" })).status, 202)
      const later = yield* read(gateway)
      const of = (service: string) => [
        grown(earlier, later)("sse_gateway_events_sent_total", { service, status: "success" }),
        grown(earlier, later)("sse_gateway_events_sent_total", { service, status: "error" }),
        grown(earlier, later)("sse_gateway_send_duration_seconds_count", { service })
      ]
      assert.deepEqual(["version", "task", "news", "default"].map(of), [
        [3, 0, 3],
        [2, 2, 3],
        [2, 0, 1],
        [1, 0, 1]
      ])
      // For an alert on a p99 above a second.
      assert.ok(later("sse_gateway_send_duration_seconds_bucket", { service: "task", le: "1" }) >= 3)
    })
  )

  it.scopedLive("keep their label whatever a backend calls its service (S146)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { token } = yield* gateway.accepted()
      const sent = (service: string) => gateway.mustSend({ token, event: { data: "x" }, service })
      const success = (service: string) => ["sse_gateway_events_sent_total", { service, status: "success" }] as const
      yield* sent("y".repeat(65)) // "other" is known from now on
      const earlier = yield* read(gateway)
      // Empty, the label would be none; NUL ends what Prometheus reads; half a pair has no UTF-8.
      for (const service of ["", 'a"b\\c\nd', "\0", "\ud800", "\udc00", "x".repeat(64), "x".repeat(65)]) {
        yield* sent(service)
      }
      const later = yield* read(gateway)
      assert.equal(grown(earlier, later)(...success("default")), 1)
      assert.equal(grown(earlier, later)(...success("other")), 1)
      assert.deepEqual(
        ['a"b\\c\nd', "\ufffd", "x".repeat(64)].map((service) => later(...success(service))),
        [1, 3, 1]
      )
      // One that floods it with names costs 100 series, and what comes after them one more.
      for (let n = 0; n < 120; n++) yield* sent(`flood${n}`)
      const { text } = yield* gateway.call("/metrics")
      const shown = Exposition.parse(text).find(({ name }) => name === "sse_gateway_events_sent_total")
      const services = new Set(shown?.samples.map(({ labels }) => labels.get("service")))
      assert.ok([...services].every((service) => service !== undefined && service !== ""))
      assert.equal([...services].filter((service) => service?.startsWith("flood")).length, 95)
      assert.equal(Exposition.read(text)(...success("other")) - later(...success("other")), 25)
    })
  )

  it.scopedLive("time each callback, count those that fail by kind, and show what is owed (S147)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { CALLBACK_TIMEOUT_SECONDS: "2" } })
      const earlier = yield* read(gateway)
      // The one that takes two seconds comes first: the disconnects of the others are held for less than that.
      const replies: Readonly<Record<string, TestBackend.Reply>> = {
        "/sse/never": TestBackend.never,
        "/sse/no": TestBackend.answer(401),
        "/sse/away": TestBackend.answer(302, { headers: { Location: "/login" } }),
        "/sse/reset": TestBackend.reset
      }
      const held = yield* Effect.makeLatch()
      gateway.backend.onConnect(({ request }) => Effect.succeed(replies[request.url] ?? TestBackend.accept))
      gateway.backend.onDisconnect(() => Effect.as(held.await, TestBackend.accept))
      for (const path of Object.keys(replies)) yield* gateway.open(path)
      const { client } = yield* gateway.accepted()
      yield* client.abort
      // The one that left, and the two that the backend may have accepted.
      yield* gateway.backend.disconnects(3)
      const later = yield* read(gateway)
      const counted = ["refused", "redirected", "timeout", "unavailable"].map((kind) =>
        grown(earlier, later)("sluice_callback_errors_total", { kind })
      )
      assert.deepEqual(counted, [1, 1, 1, 1])
      const time = (suffix: string) =>
        grown(earlier, later)(`sluice_callback_duration_seconds_${suffix}`, { action: "connect" })
      assert.equal(time("count"), 5)
      assert.ok(time("sum") >= 2 && time("sum") < 6, `${time("sum")} s`)
      assert.equal(later("sluice_disconnects_owed"), 3)

      yield* held.open
      const done = yield* Effect.repeat(read(gateway), { until: (shown) => shown("sluice_disconnects_owed") === 0 })
      assert.equal(grown(earlier, done)("sluice_disconnects_total", { outcome: "delivered" }), 3)
      const told = grown(earlier, done)("sluice_callback_duration_seconds_count", { action: "disconnect" })
      assert.ok(told >= 3)
    })
  )
})

describe("the metrics of sessions", () => {
  it.scopedLive("show commits, and a reader that stopped: in log mode, and how far behind (S147)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { stall: Duration.minutes(5) } })
      const earlier = yield* read(sluice)
      const client = yield* sluice.watch("a")
      yield* client.named("sluice.live")
      yield* client.pause
      // More than the queue, and the buffers of the system, hold.
      const events = Array.from({ length: 64 }, () => ({ data: "x".repeat(16_384) }))
      let appends = 0
      let shown = earlier
      for (; appends < 64 && shown("sluice_log_mode_connections") === 0; appends++) {
        yield* sluice.add("a", { events })
        shown = yield* read(sluice)
      }
      assert.equal(shown("sluice_log_mode_connections"), 1)
      assert.ok(shown("sluice_lag_events") > 0 && shown("sluice_lag_events") <= appends * 64)
      assert.equal(grown(earlier, shown)("sluice_log_fallbacks_total", {}), 1)
      assert.deepEqual(
        ["sluice_appends_total", "sluice_commits_total"].map((name) => grown(earlier, shown)(name, {})),
        [appends, appends]
      )
      yield* client.resume
      yield* client.until(() => client.events().filter(({ name }) => name === "sluice.live").length === 2)
      const later = yield* read(sluice)
      assert.deepEqual([later("sluice_log_mode_connections"), later("sluice_lag_events")], [0, 0])
    })
  )
})
