import * as assert from "node:assert/strict"
import { UrlParams } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { Effect, Queue, Schedule, TestClock } from "effect"
import { Refused, Unavailable } from "../../../src/client/effect/Exchange.ts"
import { SessionId } from "../../../src/domain/Session.ts"
import * as ControlFrame from "../../../src/protocol/ControlFrame.ts"
import * as Frame from "../../../src/protocol/Frame.ts"
import * as Scripted from "./Scripted.ts"

const { hello, open, watched } = Scripted

const refusal = (status: number) => () => Response.json({ error: { code: "CODE", message: "why" } }, { status })
const down =
  (headers = {}) =>
  () =>
    new Response("", { status: 503, headers })

describe("a watcher", () => {
  it.effect("takes 2.5 heartbeats of silence for the end of a connection, to the millisecond (S113, S158)", () =>
    Effect.gen(function* () {
      const live = ControlFrame.live({ session: "s", cursor: "e.9" })
      const { asked, until } = yield* watched([() => open(hello("e.9", 15, 0) + live)])
      yield* until("Live")
      yield* TestClock.adjust(37_499)
      assert.equal(asked.length, 1)
      yield* TestClock.adjust(1)
      assert.deepEqual(yield* until("Offline"), [{ _tag: "Offline", why: "silent for 37.5 s", millis: 499 }])
      yield* TestClock.adjust(498)
      assert.equal(asked.length, 1)
      yield* TestClock.adjust(1)
      yield* until("End")
      assert.equal(asked[1]?.headers["last-event-id"], "e.9")
    })
  )

  it.effect("takes a comment for a sign of life, and counts by the heartbeat that hello named (S113)", () =>
    Effect.gen(function* () {
      const { asks, response } = yield* Scripted.driven
      const { offline, until } = yield* watched([response])
      const greet = yield* Queue.take(asks)
      greet(hello("e.9", 4, 0))
      yield* until("Connected")
      for (let times = 0; times < 3; times++) {
        const say = yield* Queue.take(asks)
        yield* TestClock.adjust(9_999)
        say(": heartbeat\n\n")
      }
      yield* Queue.take(asks)
      yield* TestClock.adjust(9_999)
      yield* TestClock.adjust(1)
      assert.equal((yield* offline).why, "silent for 10 s")
      assert.equal(yield* Effect.map(TestClock.currentTimeMillis, Number), 4 * 9_999 + 1)
    })
  )

  it.effect("gives a server that takes the request and says nothing 37.5 s as well", () =>
    Effect.gen(function* () {
      const { asks, response } = yield* Scripted.driven
      const { offline } = yield* watched([response])
      yield* Queue.take(asks)
      yield* TestClock.adjust(37_500)
      assert.equal((yield* offline).why, "silent for 37.5 s")
    })
  )

  it.effect("waits for a server that is away at most 0.5 s, doubled with each failure up to 30 s (S110)", () =>
    Effect.gen(function* () {
      const waits = [499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999]
      const { asked, done, offline } = yield* watched(waits.map(() => () => undefined))
      for (const [index, millis] of waits.entries()) {
        assert.deepEqual(yield* offline, { _tag: "Offline", why: "cut off", millis })
        yield* TestClock.adjust(millis - 1)
        assert.equal(asked.length, index + 1)
        yield* TestClock.adjust(1)
      }
      yield* done
      assert.equal(asked.length, waits.length + 1)
    })
  )

  it.effect("may come back at once, for its wait is anything from 0 on: so that clients spread out (S110)", () =>
    Effect.gen(function* () {
      const faults = [1, 2, 3].map(() => () => undefined)
      const { done, offline } = yield* watched(faults, { random: Scripted.soonest })
      for (const _ of faults) assert.equal((yield* offline).millis, 0)
      yield* done
    })
  )

  it.effect("comes back not before the server asked it to, and ever later while the server does not answer", () =>
    Effect.gen(function* () {
      const bye = ControlFrame.bye({ reason: "shutdown", retry: 5000 })
      const { until } = yield* watched([
        () => Scripted.ended(hello("e.9") + bye),
        down({ "retry-after": "3" }),
        down({ "retry-after": "3" })
      ])
      const first = yield* until("Offline")
      const why = "the server said goodbye (shutdown)"
      assert.deepEqual(first[first.length - 1], { _tag: "Offline", why, millis: 5499 })
      yield* TestClock.adjust(5499)
      assert.deepEqual(yield* until("Offline"), [{ _tag: "Offline", why: "status 503", millis: 5999 }])
      yield* TestClock.adjust(5999)
      assert.deepEqual(yield* until("Offline"), [{ _tag: "Offline", why: "status 503", millis: 6999 }])
    })
  )

  it.effect("reads a Retry-After in seconds and as a date, and passes over what is neither", () =>
    Effect.gen(function* () {
      const { offline } = yield* watched(
        ["7", "Thu, 01 Jan 1970 00:00:10 GMT", "soon"].map((value) => down({ "retry-after": value })),
        { random: Scripted.soonest }
      )
      assert.equal((yield* offline).millis, 7000)
      yield* TestClock.adjust(7000)
      assert.equal((yield* offline).millis, 3000)
      yield* TestClock.adjust(3000)
      assert.equal((yield* offline).millis, 0)
    })
  )

  it.effect("takes an answer that is no event stream for none, such as a proxy's page", () =>
    Effect.gen(function* () {
      const page = () => new Response("<p>soon", { headers: { "content-type": "text/html" } })
      const { asked, done, offline } = yield* watched([page, () => new Response("")])
      for (const millis of [499, 999]) {
        assert.deepEqual(yield* offline, { _tag: "Offline", why: "no event stream", millis })
        yield* TestClock.adjust(millis)
      }
      yield* done
      assert.equal(asked.length, 3)
    })
  )

  it.effect("comes back when a policy of one's own says so, but not before the server asked it to", () =>
    Effect.gen(function* () {
      const bye = ControlFrame.bye({ reason: "shutdown", retry: 5000 })
      const { offline } = yield* watched(
        [down(), down({ "retry-after": "3" }), () => Scripted.ended(hello("e.9") + bye)],
        { client: { reconnect: Schedule.spaced("1 second") } }
      )
      for (const millis of [1000, 3000, 5000]) {
        assert.equal((yield* offline).millis, millis)
        yield* TestClock.adjust(millis)
      }
    })
  )

  it.effect("fails where a policy of one's own ends, which begins anew at each hello", () =>
    Effect.gen(function* () {
      const reconnect = Schedule.intersect(Schedule.spaced("1 second"), Schedule.recurs(2))
      const greeted = () => Scripted.ended(hello("e.9", 15, 0))
      const { asked, done } = yield* watched([down(), down(), greeted, down(), down()], { client: { reconnect } })
      yield* TestClock.adjust("1 minute")
      assert.deepEqual(yield* Effect.flip(done), new Unavailable({ why: "status 503", retryAfter: 0 }))
      assert.equal(asked.length, 5)
    })
  )

  it.effect("begins at the start also if it is cut off between hello and the first gap", () =>
    Effect.gen(function* () {
      const gap = ControlFrame.gap(
        { session: "s", after: 0, next: 8, missed: 7, oldest: 8, head: 9, reason: "retention" },
        "e.7"
      )
      const { asked, until } = yield* watched(
        [() => Scripted.ended(hello("e.7", 15, 0)), () => open(hello("e.7", 15, 0) + gap)],
        { from: "start", fillsGaps: false }
      )
      yield* until("Offline")
      yield* TestClock.adjust(499)
      const told = yield* until("Gap")
      assert.deepEqual(told[told.length - 1], {
        _tag: "Gap",
        session: Scripted.session,
        gap: { epoch: "e", after: 0, next: 8, missed: 7, reason: "retention" }
      })
      assert.deepEqual(
        asked.map(({ headers }) => headers["last-event-id"]),
        ["0.0", "0.0"]
      )
    })
  )

  for (const status of [400, 401, 403, 404]) {
    it.effect(`gives up where the server has had its last word: ${status}`, () =>
      Effect.gen(function* () {
        const { asked, done } = yield* watched([refusal(status)])
        const error = yield* Effect.flip(done)
        assert.deepEqual(error, new Refused({ status, code: "CODE", message: "why", field: undefined }))
        assert.equal(error._tag === "Refused" && error.text, `${status} CODE: why`)
        assert.equal(asked.length, 1)
      })
    )
  }

  const gap = ControlFrame.gap({ session: "s", after: 0, next: 3, missed: 2, oldest: 1, head: 3, reason: "cap" }, "e.2")
  const behindGap = () => open(hello("e.2") + gap + Frame.event("e", 3, "message", "3"))
  const event = (seq: number) => ({ seq, name: "message", data: `${seq}`, at: "" })
  const page = () => Response.json({ session: "s", epoch: "e", oldest: 1, head: 3, events: [event(1), event(2)] })

  it.effect("asks for history again until it has the page, before it goes on", () =>
    Effect.gen(function* () {
      const { asked, offline, until } = yield* watched(
        [behindGap, down(), down(), down({ "retry-after": "3" }), page],
        { from: "start" }
      )
      for (const millis of [499, 999, 3000 + 1999]) {
        assert.deepEqual(yield* offline, { _tag: "Offline", why: "status 503", millis })
        yield* TestClock.adjust(millis)
      }
      const told = [...(yield* until("Events")), ...(yield* until("Events"))]
      assert.deepEqual(
        told.flatMap((delivery) =>
          delivery._tag === "Events" ? delivery.events.map(({ data }) => data) : [delivery._tag]
        ),
        ["1", "2", "3"]
      )
      assert.deepEqual(
        asked.map(({ url }) => url.replace(Scripted.url, "")),
        ["/v1/sessions/s/stream", ...Array(4).fill("/v1/sessions/s/events")]
      )
    })
  )

  it.effect("fails where the policy ends before the page is there: over another connection the gap would be lost", () =>
    Effect.gen(function* () {
      const { asked, done } = yield* watched([behindGap, down(), down(), behindGap], {
        from: "start",
        client: { reconnect: Schedule.recurs(1) }
      })
      assert.deepEqual(yield* Effect.flip(done), new Unavailable({ why: "status 503", retryAfter: 0 }))
      assert.equal(asked.length, 3)
    })
  )
})

describe("a watcher of several sessions", () => {
  const a = SessionId.make("a")
  const b = SessionId.make("b")
  const opened = (session: string) => ({
    session,
    epoch: "e",
    cursor: "e.0",
    oldest: 1,
    head: 0,
    mode: "started" as const
  })
  const greeting = { token: "t", heartbeat: 15, retry: 0 }

  it.effect("comes back for those that have not ended, and ends when all have (S110)", () =>
    Effect.gen(function* () {
      const first =
        ControlFrame.hello({ ...greeting, sessions: [opened("a"), opened("b")] }, "a.e.0_b.e.0") +
        ControlFrame.end({ session: "a", cursor: "e.0", reason: "deleted" })
      const second = ControlFrame.end({ session: "b", cursor: "e.0", reason: "ended" })
      const { asked, done, until } = yield* watched([() => Scripted.ended(first), () => Scripted.ended(second)], {
        sessions: [a, b],
        from: "start",
        random: Scripted.soonest
      })
      assert.deepEqual(yield* until("End"), [
        { _tag: "Connected", session: a, mode: "started", token: "t" },
        { _tag: "Connected", session: b, mode: "started", token: "t" },
        { _tag: "End", session: a, reason: "deleted" }
      ])
      yield* until("Offline")
      yield* TestClock.adjust(0)
      assert.deepEqual(yield* until("End"), [{ _tag: "End", session: b, reason: "ended" }])
      yield* done
      assert.deepEqual(
        asked.map(({ headers, urlParams }) => [UrlParams.toString(urlParams), headers["last-event-id"]]),
        [
          ["session=a&session=b&from=head", "a.0.0_b.0.0"],
          ["session=b&from=head", "b.0.0"]
        ]
      )
    })
  )

  it.effect("takes a 204 for the end of all that are left", () =>
    Effect.gen(function* () {
      const { done, until } = yield* watched([], { sessions: [a, b] })
      const ends = [...(yield* until("End")), ...(yield* until("End"))]
      assert.deepEqual(ends, [
        { _tag: "End", session: a, reason: "over" },
        { _tag: "End", session: b, reason: "over" }
      ])
      yield* done
    })
  )
})
