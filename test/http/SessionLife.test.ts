import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { isLegal } from "../../src/domain/Lifecycle.ts"
import { SessionState } from "../../src/domain/Session.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import type * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Call from "./Call.ts"
import { engines, sqlite } from "./Engines.ts"
import * as Processes from "./Processes.ts"
import * as Sluice from "./Sluice.ts"

const put = (sluice: Sluice.Sluice, session: string, body: unknown) =>
  sluice.call(`/v1/sessions/${session}/state`, {
    method: "PUT",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" }
  })

/** Until a stream has so many events of a name. */
const heard = (client: StreamClient.StreamClient, name: string, count = 1) =>
  client.until((text) => text.split(`event: ${name}\n`).length > count)

const say = (sluice: Sluice.Sluice, session: string, body: unknown) =>
  sluice.post(`/v1/sessions/${session}/messages`, body)

/** The way to each state. */
const ways: Readonly<Record<SessionState, ReadonlyArray<SessionState>>> = {
  CREATED: [],
  STARTING: ["STARTING"],
  ACTIVE: ["STARTING", "ACTIVE"],
  SUSPENDED: ["STARTING", "ACTIVE", "SUSPENDED"],
  DETACHED: ["STARTING", "ACTIVE", "DETACHED"],
  CLOSING: ["CLOSING"],
  ENDED: ["CLOSING", "ENDED"]
}

const into = (sluice: Sluice.Sluice, session: string, state: SessionState) =>
  Effect.gen(function* () {
    yield* sluice.add(session, { data: "1" })
    for (const step of ways[state]) assert.equal((yield* put(sluice, session, { state: step })).status, 200)
  })

const stateOf = (sluice: Sluice.Sluice, session: string) =>
  Effect.map(sluice.call(`/v1/sessions/${session}`), (answer) => Call.pick(Call.json(answer), "state", "head"))

const history = (sluice: Sluice.Sluice, session: string) =>
  Effect.map(sluice.call(`/v1/sessions/${session}/events?limit=1000`), ({ text }) => text)

for (const [engine, store] of engines) {
  describe(`the state of a session (${engine})`, () => {
    for (const from of SessionState.literals) {
      it.scopedLive(`moves from ${from} where the table allows it; else 409 and nothing changed (S97)`, () =>
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store: yield* store })
          for (const to of SessionState.literals) {
            const session = `${from}-${to}`
            yield* into(sluice, session, from)
            const before = [yield* stateOf(sluice, session), yield* history(sluice, session)]
            const answer = yield* put(sluice, session, { state: to, reason: "test" })
            const after = [yield* stateOf(sluice, session), yield* history(sluice, session)]
            if (to === from) {
              assert.equal(answer.status, 200)
              assert.deepEqual(after, before)
            } else if (isLegal(from, to)) {
              assert.equal(answer.status, 200, answer.text)
              assert.deepEqual(Call.pick(Call.json(answer), "session", "state"), { session, state: to })
              assert.match(
                String(after[1]),
                new RegExp(
                  `"data":"{\\\\"state\\\\":\\\\"${to}\\\\",\\\\"from\\\\":\\\\"${from}\\\\",\\\\"reason\\\\":\\\\"test\\\\"}"`
                )
              )
            } else {
              const details = Call.pick(Call.assertError(answer, 409, "INVALID_TRANSITION"), "session", "from", "to")
              assert.deepEqual(details, { session, from, to })
              assert.deepEqual(after, before)
            }
          }
        })
      )
    }

    it.scopedLive("is seen by live watchers and in replay under its name, and is kept over a restart (S98)", () =>
      Effect.gen(function* () {
        const kept = yield* engine === "sqlite" ? sqlite : store
        yield* Effect.scoped(
          Effect.gen(function* () {
            const sluice = yield* Sluice.make({ store: kept })
            yield* sluice.add("a", { data: "1" })
            const live = yield* sluice.watch("a")
            yield* heard(live, "sluice.live")
            yield* put(sluice, "a", { state: "STARTING" })
            yield* put(sluice, "a", { state: "ACTIVE", reason: "ready" })
            yield* heard(live, "sluice.state", 2)
            const replay = yield* sluice.watch("a", "from=start")
            yield* heard(replay, "sluice.live")
            for (const client of [live, replay]) {
              assert.deepEqual(
                client
                  .events()
                  .filter(({ name }) => name === "sluice.state")
                  .map(Call.json),
                [
                  { state: "STARTING", from: "CREATED" },
                  { state: "ACTIVE", from: "STARTING", reason: "ready" }
                ]
              )
            }
            assert.deepEqual(yield* stateOf(sluice, "a"), { state: "ACTIVE", head: 3 })
          })
        )
        if (engine !== "sqlite") return
        const again = yield* Sluice.make({ store: kept })
        assert.deepEqual(yield* stateOf(again, "a"), { state: "ACTIVE", head: 3 })
        const { text } = yield* again.call("/v1/sessions?state=ACTIVE")
        assert.match(text, /"session":"a"/)
      })
    )
  })

  describe(`a message over HTTP (${engine})`, () => {
    it.scopedLive("has the same receipt twice, 20 times at once and after a restart; other content is 409 (S104)", () =>
      Effect.gen(function* () {
        const kept = yield* engine === "sqlite" ? sqlite : store
        const receipt = { id: "m 1/ö", session: "a", seq: 1, accepted: true }
        const body = { id: "m 1/ö", data: { text: "hi", n: [1, null] } }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const sluice = yield* Sluice.make({ store: kept })
            const answers = yield* Effect.all(
              Array.from({ length: 20 }, () => say(sluice, "a", body)),
              { concurrency: "unbounded" }
            )
            for (const answer of [...answers, yield* say(sluice, "a", body)]) {
              assert.equal(answer.status, 202)
              assert.deepEqual(Call.json(answer), receipt)
            }
            Call.assertError(yield* say(sluice, "a", { ...body, data: "other" }), 409, "CONFLICT")
          })
        )
        if (engine !== "sqlite") return
        const again = yield* Sluice.make({ store: kept })
        assert.deepEqual(Call.json(yield* say(again, "a", body)), receipt)
        Call.assertError(yield* say(again, "a", { ...body, data: "other" }), 409, "CONFLICT")
        assert.deepEqual(yield* stateOf(again, "a"), { state: "CREATED", head: 1 })
      })
    )
  })
}

describe("bad input to a session's life", () => {
  const long = "x".repeat(129)
  for (const [what, path, body, field] of [
    ["no state", "state", {}, "state"],
    ["an unknown state", "state", { state: "ASLEEP" }, "state"],
    ["a state of the wrong type", "state", { state: 1 }, "state"],
    ["a reason that is too long", "state", { state: "ACTIVE", reason: "x".repeat(257) }, "reason"],
    ["a message without id", "messages", { data: 1 }, "id"],
    ["an empty message id", "messages", { id: "", data: 1 }, "id"],
    ["a message id that is too long", "messages", { id: long, data: 1 }, "id"],
    ["a message id with a control character", "messages", { id: "a\nb", data: 1 }, "id"],
    ["a message without data", "messages", { id: "m" }, "data"],
    [
      "data that is nested too deeply",
      "messages",
      { id: "m", data: JSON.parse("[".repeat(66) + "]".repeat(66)) },
      "data"
    ],
    ["an interrupt with half a message", "interrupt", { message: { id: "m" } }, "message.data"],
    ["a stop that is no object", "stop", [], "body"]
  ] as const) {
    it.scopedLive(`is ${what}: 400, the field is named, and nothing is stored`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        yield* sluice.add("a", { data: "1" })
        const answer = yield* path === "state" ? put(sluice, "a", body) : sluice.post(`/v1/sessions/a/${path}`, body)
        assert.equal(Call.assertError(answer, 400, "INVALID_REQUEST")["field"], field)
        assert.deepEqual(yield* stateOf(sluice, "a"), { state: "CREATED", head: 1 })
      })
    )
  }

  it.scopedLive("is a message above the limit of an event, a body that is no JSON, and a session id that is none", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ http: { maxEventBytes: 100 } })
      Call.assertError(yield* say(sluice, "a", { id: "m", data: "x".repeat(100) }), 413, "PAYLOAD_TOO_LARGE")
      Call.assertError(yield* say(sluice, "a", "{"), 400, "INVALID_REQUEST")
      Call.assertError(yield* say(sluice, "a%20b", { id: "m", data: 1 }), 400, "INVALID_REQUEST")
      Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
      Call.assertError(yield* sluice.call("/v1/sessions/a/messages"), 405, "METHOD_NOT_ALLOWED")
      Call.assertError(yield* put(sluice, "a", { state: "ENDED" }), 404, "SESSION_NOT_FOUND")
    })
  )

  it.scopedLive("or a store that refuses: 503, nothing stored, and the next try goes through (S104)", () =>
    Effect.gen(function* () {
      const { sluice, store } = yield* Sluice.makeFaulty()
      store.next("commit", FaultyStore.fails("Unavailable"))
      Call.assertError(yield* say(sluice, "a", { id: "m", data: 1 }), 503, "STORE_UNAVAILABLE")
      Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
      assert.equal((yield* say(sluice, "a", { id: "m", data: 1 })).status, 202)
    })
  )
})

describe("interrupt and stop over HTTP", () => {
  it.scopedLive("are 404 for an unknown session and 409 where nothing runs (S103)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.add("a", { data: "1" })
      for (const ask of ["interrupt", "stop"]) {
        for (const body of ["", "{}", JSON.stringify({ message: { id: "m", data: 1 } })]) {
          Call.assertError(yield* sluice.post(`/v1/sessions/unknown/${ask}`, body), 404, "SESSION_NOT_FOUND")
          Call.assertError(yield* sluice.post(`/v1/sessions/a/${ask}`, body), 409, "NOTHING_RUNS")
        }
      }
      assert.deepEqual(yield* stateOf(sluice, "a"), { state: "CREATED", head: 1 })
    })
  )

  it.scopedLive("are accepted at once, and what comes of them is read in the log by every watcher (S101)", () =>
    Effect.gen(function* () {
      const sluice = yield* Processes.make()
      const child = yield* sluice.attach("a", { interrupt: Effect.die(new TypeError("it threw")) })
      const watcher = yield* sluice.watch("a", "from=start")
      yield* heard(watcher, "sluice.live")
      const interrupted = yield* sluice.post("/v1/sessions/a/interrupt", { message: { id: "m", data: "instead" } })
      assert.equal(interrupted.status, 202)
      assert.deepEqual(Call.json(interrupted), { id: "m", session: "a", seq: 6, accepted: true })
      yield* child.hears("send m")
      const stopped = yield* sluice.post("/v1/sessions/a/stop", "")
      assert.deepEqual([stopped.status, Call.json(stopped)], [202, { session: "a", seq: 8, accepted: true }])
      yield* heard(watcher, "sluice.end")
      const told = watcher
        .events()
        .filter(({ name }) => ["sluice.process", "sluice.message", "sluice.state"].includes(name))
        .slice(4)
        .map(({ data, name }) => `${name.slice(7)} ${data}`)
      assert.deepEqual(told, [
        'process {"event":"interrupting"}',
        'message {"id":"m","data":"instead","from":null}',
        'process {"event":"interrupt_failed","problem":"it threw"}',
        'process {"event":"stopping","reason":"stopped"}',
        'state {"state":"CLOSING","from":"ACTIVE","reason":"stopped"}',
        'process {"event":"exited","code":0,"signal":null}',
        'state {"state":"ENDED","from":"CLOSING","reason":"stopped"}'
      ])
    })
  )
})

describe("a session that has ended", () => {
  const ended = Effect.gen(function* () {
    const sluice = yield* Sluice.make()
    const { epoch } = yield* sluice.add("a", { events: Sluice.numbered(1, 3) })
    yield* put(sluice, "a", { state: "ENDED" })
    return { ...sluice, epoch }
  })

  it.scopedLive("takes no event and no message: 409 SESSION_ENDED (S89)", () =>
    Effect.gen(function* () {
      const sluice = yield* ended
      Call.assertError(yield* sluice.append("a", { data: "x" }), 409, "SESSION_ENDED")
      Call.assertError(yield* say(sluice, "a", { id: "m", data: "x" }), 409, "SESSION_ENDED")
      assert.deepEqual(yield* stateOf(sluice, "a"), { state: "ENDED", head: 4 })
    })
  )

  it.scopedLive("gives who returns the rest and sluice.end, and once more only sluice.end (S89)", () =>
    Effect.gen(function* () {
      const { epoch, ...sluice } = yield* ended
      const rest = yield* sluice.watch("a", `cursor=${epoch}.2`)
      yield* rest.ended
      assert.deepEqual(
        rest.events().map(({ name }) => name),
        ["sluice.hello", "message", "sluice.state", "sluice.end"]
      )
      for (const query of [`cursor=${epoch}.4`, "", "from=head"]) {
        const again = yield* sluice.watch("a", query)
        yield* again.ended
        assert.deepEqual(
          again.events().map(({ name }) => name),
          ["sluice.hello", "sluice.end"]
        )
        assert.deepEqual(Call.pick(Call.json(again.events()[1] ?? assert.fail()), "session", "cursor", "reason"), {
          session: "a",
          cursor: `${epoch}.4`,
          reason: "ended"
        })
      }
    })
  )

  it.scopedLive("sends a browser away for good: 204 to the Last-Event-ID of its end, and to no other (design §4)", () =>
    Effect.gen(function* () {
      const { epoch, ...sluice } = yield* ended
      const get = (path: string, id: string) => sluice.call(path, { headers: { "Last-Event-ID": id } })
      const answer = yield* get("/v1/sessions/a/stream", `${epoch}.4`)
      assert.deepEqual([answer.status, answer.text], [204, ""])
      for (const elsewhere of [`${epoch}.3`, "other.4"]) {
        const stream = yield* sluice.watch("a", "", { "Last-Event-ID": elsewhere })
        yield* heard(stream, "sluice.end")
      }
    })
  )

  it.scopedLive("ends on a stream over several sessions alone; when all have ended, the stream does (S93)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      for (const session of ["a", "b"]) yield* sluice.add(session, { data: "1" })
      const client = yield* sluice.stream("/v1/stream?session=a&session=b&from=start")
      yield* client.until((text) => text.split('"seq":').length > 2)
      yield* put(sluice, "a", { state: "ENDED" })
      yield* heard(client, "sluice.end")
      yield* sluice.add("b", { data: "2" })
      yield* client.until((text) => text.split('"seq":').length > 4)
      yield* put(sluice, "b", { state: "ENDED" })
      yield* client.ended
      const ends = client
        .events()
        .filter(({ name }) => name === "sluice.end")
        .map((event) => Call.json(event)["session"])
      assert.deepEqual(ends, ["a", "b"])
      const back = yield* sluice.call("/v1/stream?session=a&session=b", {
        headers: { "Last-Event-ID": client.lastId() }
      })
      assert.equal(back.status, 204)
    })
  )

  it.scopedLive("keeps its end over a restart", () =>
    Effect.gen(function* () {
      const store = yield* sqlite
      const epoch = yield* Effect.scoped(
        Effect.gen(function* () {
          const sluice = yield* Sluice.make({ store })
          const { epoch } = yield* sluice.add("a", { data: "1" })
          yield* put(sluice, "a", { state: "ENDED" })
          return epoch
        })
      )
      const sluice = yield* Sluice.make({ store })
      const answer = yield* sluice.call("/v1/sessions/a/stream", { headers: { "Last-Event-ID": `${epoch}.2` } })
      assert.equal(answer.status, 204)
      Call.assertError(yield* sluice.append("a", { data: "x" }), 409, "SESSION_ENDED")
    })
  )
})

describe("the connection that owns a session", () => {
  const tokenOf = (client: StreamClient.StreamClient) =>
    String(Call.json(client.events()[0] ?? assert.fail("no hello"))["token"])

  it.scopedLive("is the last one that wrote; the former one is told, and goes on watching (S106)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const [a, b] = [yield* sluice.watch("s"), yield* sluice.watch("s")]
      for (const client of [a, b]) yield* heard(client, "sluice.live")
      yield* say(sluice, "s", { id: "m1", data: 1, token: tokenOf(a) })
      for (const client of [a, b]) yield* heard(client, "sluice.message")
      yield* say(sluice, "s", { id: "m2", data: 2, token: tokenOf(b) })
      yield* heard(a, "sluice.owner")
      for (const client of [a, b]) yield* heard(client, "sluice.message", 2)
      yield* sluice.add("s", { data: "for both" })
      for (const client of [a, b]) yield* client.until((text) => text.includes("for both"))
      const owners = [a, b].map(({ events }) =>
        events()
          .filter(({ name }) => name === "sluice.owner")
          .map(Call.json)
      )
      assert.deepEqual(owners, [[{ session: "s", owner: false }], []])
    })
  )

  it.scopedLive("does not change by a write that is refused: nobody is told anything (S106)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const [a, b] = [yield* sluice.watch("s"), yield* sluice.watch("s")]
      for (const client of [a, b]) yield* heard(client, "sluice.live")
      yield* say(sluice, "s", { id: "m1", data: 1, token: tokenOf(a) })
      const token = tokenOf(b)
      Call.assertError(yield* say(sluice, "s", { id: "m1", data: 2, token }), 409, "CONFLICT")
      Call.assertError(yield* put(sluice, "s", { state: "ACTIVE", token }), 409, "INVALID_TRANSITION")
      Call.assertError(yield* sluice.post("/v1/sessions/s/stop", { token }), 409, "NOTHING_RUNS")
      yield* sluice.add("s", { data: "after all that" })
      for (const client of [a, b]) yield* client.until((text) => text.includes("after all that"))
      assert.deepEqual(
        a.events().filter(({ name }) => name === "sluice.owner"),
        []
      )
    })
  )

  it.scopedLive("suspends what it owns when its client goes to the background; a message makes it ACTIVE again", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      for (const session of ["s", "t", "created"]) yield* sluice.add(session, { data: "1" })
      for (const session of ["s", "t"]) {
        for (const state of ["STARTING", "ACTIVE"]) yield* put(sluice, session, { state })
      }
      const client = yield* sluice.watch("s")
      yield* heard(client, "sluice.live")
      const token = tokenOf(client)
      for (const session of ["s", "created"]) yield* say(sluice, session, { id: "m", data: 1, token })
      const beacon = { method: "POST", headers: { "Content-Type": "text/plain" }, body: "{}" }
      assert.equal((yield* sluice.call(`/v1/connections/${token}/suspend`, beacon)).status, 204)
      assert.deepEqual((yield* stateOf(sluice, "s"))["state"], "SUSPENDED")
      assert.deepEqual((yield* stateOf(sluice, "t"))["state"], "ACTIVE")
      assert.deepEqual((yield* stateOf(sluice, "created"))["state"], "CREATED")
      yield* say(sluice, "s", { id: "m2", data: 1 })
      assert.deepEqual((yield* stateOf(sluice, "s"))["state"], "ACTIVE")
    })
  )

  it.scopedLive("must be open: a write in the name of another is 404, and nothing is stored", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const gone = yield* sluice.watch("s")
      yield* heard(gone, "sluice.hello")
      const token = tokenOf(gone)
      yield* sluice.call(`/v1/connections/${token}`, { method: "DELETE" })
      yield* gone.ended
      for (const stale of [token, "nobody"]) {
        Call.assertError(yield* say(sluice, "s", { id: "m", data: 1, token: stale }), 404, "CONNECTION_NOT_FOUND")
        Call.assertError(yield* put(sluice, "s", { state: "ENDED", token: stale }), 404, "CONNECTION_NOT_FOUND")
        const suspend = { method: "POST" }
        Call.assertError(yield* sluice.call(`/v1/connections/${stale}/suspend`, suspend), 404, "CONNECTION_NOT_FOUND")
      }
      Call.assertError(yield* sluice.call("/v1/sessions/s"), 404, "SESSION_NOT_FOUND")
    })
  )
})

describe("with an API key, every route of a session's life", () => {
  it.scopedLive("needs it", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ http: { apiKey: Redacted.make("k") } })
      for (const path of [
        "/v1/sessions/a/messages",
        "/v1/sessions/a/interrupt",
        "/v1/sessions/a/stop",
        "/v1/connections/t/suspend"
      ]) {
        Call.assertError(yield* sluice.post(path, {}), 401, "UNAUTHORIZED")
      }
      Call.assertError(yield* put(sluice, "a", { state: "ENDED" }), 401, "UNAUTHORIZED")
    })
  )
})
