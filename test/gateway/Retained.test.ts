import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope } from "effect"
import * as Broadcast from "../../src/connection/Broadcast.ts"
import * as FaultyStore from "../../src/testing/FaultyStore.ts"
import type { StreamClient } from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import * as TestSocket from "../../src/testing/TestSocket.ts"
import * as ConnectionRooms from "../connection/ConnectionRooms.ts"
import * as Call from "../http/Call.ts"
import * as Engines from "../http/Engines.ts"
import { numbered } from "../http/Sluice.ts"
import * as Wrapped from "../http/Wrapped.ts"
import { s1 } from "../session/SessionRooms.ts"
import * as Gateway from "./Gateway.ts"

const path = (key: string) => `/v1/retained/${key}`

const retained = (gateway: Gateway.Gateway) => {
  const put = (key: string, body: unknown, headers = {}) =>
    gateway.call(path(key), {
      method: "PUT",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers }
    })
  /** How many streams took it. */
  const mustPut = (key: string, body: unknown) =>
    Effect.map(put(key, body), (answer) => {
      assert.equal(answer.status, 200, answer.text)
      const { connections, ...rest } = Call.json(answer)
      assert.deepEqual(rest, { key })
      return connections
    })
  const get = (key: string) => gateway.call(path(key))
  const remove = (key: string) => gateway.call(path(key), { method: "DELETE" })
  return { put, mustPut, get, remove }
}

/** A stream of each kind: of one session, of several, where only the backend speaks, and one of the backend with watches. */
const ofEachKind = (gateway: Gateway.Gateway) =>
  Effect.gen(function* () {
    gateway.backend.onConnect(({ request }) =>
      Effect.succeed(
        request.url.endsWith("watching") ? TestBackend.acceptWith({ watch: [{ session: "a" }] }) : TestBackend.accept
      )
    )
    const single = yield* gateway.watch("a")
    const many = yield* gateway.stream("/v1/stream?session=a&session=b")
    const { client: bare } = yield* gateway.accepted()
    const { client: watching } = yield* gateway.accepted(`${gateway.newTarget()}watching`)
    for (const client of [single, many, watching]) yield* client.named("sluice.live")
    yield* Wrapped.lives(many, 2)
    return { single, many, bare, watching } as const
  })

/** What a stream got that belongs to no session, as `name data`. Data `over` is where a test stops to look. */
const values = (client: StreamClient): ReadonlyArray<string> =>
  client.events().flatMap(({ data, name }) => {
    if (name.startsWith("sluice.")) return []
    if (!data.startsWith("{")) return [`${name} ${data}`]
    const { session, ...event } = Call.json({ data })
    return session === null ? [`${event["name"]} ${event["data"]}`] : []
  })

/** The values until a broadcast has come that was made now. */
const valuesUntilNow = (gateway: Gateway.Gateway, clients: Iterable<StreamClient>) =>
  Effect.gen(function* () {
    yield* gateway.post("/v1/broadcast", { name: "now", data: "over" })
    const all = []
    for (const client of clients) {
      yield* client.until(() => values(client).includes("now over"))
      all.push(values(client).filter((value) => value !== "now over"))
    }
    return all
  })

const fourTimes = (...of: ReadonlyArray<string>) => [of, of, of, of]

describe("a retained event", () => {
  it.scopedLive("reaches open streams now, and each new one on connect, until it is deleted (S33)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { get, mustPut, remove } = retained(gateway)
      const early = yield* ofEachKind(gateway)
      assert.equal(yield* mustPut("version", { name: "version", data: "1" }), 4)
      assert.equal(yield* mustPut("banner", { data: "hello" }), 4)
      assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(early)), fourTimes("version 1", "message hello"))

      const later = yield* ofEachKind(gateway)
      // By key.
      assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(later)), fourTimes("message hello", "version 1"))

      assert.equal(yield* mustPut("version", { name: "version", data: "2" }), 8)
      const latest = yield* ofEachKind(gateway)
      assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(latest)), fourTimes("message hello", "version 2"))
      for (const client of Object.values(early)) assert.equal(values(client).filter((v) => v === "version 2").length, 1)

      const found = yield* get("version")
      assert.equal(found.status, 200)
      const { at, ...rest } = Call.json(found)
      assert.deepEqual(rest, { key: "version", name: "version", data: "2" })
      assert.ok(Math.abs(Date.parse(String(at)) - Date.now()) < 60_000)

      assert.equal((yield* remove("version")).status, 204)
      Call.assertError(yield* remove("version"), 404, "RETAINED_NOT_FOUND")
      Call.assertError(yield* get("version"), 404, "RETAINED_NOT_FOUND")
      const after = yield* ofEachKind(gateway)
      assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(after)), fourTimes("message hello"))
      assert.equal((yield* remove("banner")).status, 204)
      const last = yield* ofEachKind(gateway)
      assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(last)), fourTimes())
      // No session stores it.
      assert.deepEqual(Call.json(yield* gateway.call("/v1/sessions"))["sessions"], [])
    })
  )

  it.scopedLive("stands right after hello, before the gap, without an id, in the form of its stream", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ connection: { replayCap: 2 } })
      yield* gateway.add("a", { events: numbered(1, 5) })
      yield* retained(gateway).mustPut("k", { name: "config", data: { a: [1] } })
      const single = yield* gateway.watch("a", "from=start")
      yield* single.named("sluice.live")
      const names = (client: StreamClient) => client.events().map(({ name }) => name)
      assert.deepEqual(names(single), ["sluice.hello", "config", "sluice.gap", "message", "message", "sluice.live"])
      assert.ok(single.text().includes('\n\nevent: config\ndata: {"a":[1]}\n\nid: '))
      // A reader that is cut off behind it comes back to the place that hello said.
      assert.equal(single.events()[1]?.lastId, single.events()[0]?.lastId)

      const many = yield* gateway.stream("/v1/stream?session=a")
      yield* many.named("sluice.live")
      const [, event] = many.events()
      assert.deepEqual(names(many), ["sluice.hello", "message", "sluice.live"])
      const { at, ...wrapped } = Call.json(event ?? assert.fail())
      assert.deepEqual(wrapped, { session: null, name: "config", data: '{"a":[1]}' })
      assert.equal(at, Call.json(yield* retained(gateway).get("k"))["at"])
    })
  )

  it.scopedLive("comes after the events of the backend's answer where only the backend speaks", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      yield* retained(gateway).mustPut("k", { name: "config", data: "x" })
      gateway.backend.onConnect(({ token }) =>
        Effect.as(
          gateway.send({ token, event: { data: "early" } }),
          TestBackend.acceptWith({ events: [{ name: "welcome", data: "hi" }] })
        )
      )
      const { client } = yield* gateway.accepted()
      yield* client.take(3)
      assert.equal(client.text(), "data: early\n\nevent: welcome\ndata: hi\n\nevent: config\ndata: x\n\n")
    })
  )

  it.scopedLive("has the frame of the profile, before its greeting", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ env: { SLUICE_GATEWAY_PROFILE: "ssegateway" } })
      const { get, mustPut, put } = retained(gateway)
      yield* mustPut("k", { name: "config", data: { a: 1 } })
      const { client } = yield* gateway.accepted()
      yield* client.until((text) => text.endsWith("event: ready\ndata:\n\n"))
      assert.equal(client.text(), 'data: {"type":"config","payload":{"a":1}}\n\nevent: ready\ndata:\n\n')
      // What has no frame there is refused, and stored nowhere.
      Call.assertError(yield* put("lines", { name: "n", data: "a\nb" }), 400, "INVALID_REQUEST")
      Call.assertError(yield* get("lines"), 404, "RETAINED_NOT_FOUND")
    })
  )

  it.scopedLive("that was put during the callback comes once, with its last value", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { mustPut } = retained(gateway)
      const taken: Array<unknown> = []
      gateway.backend.onConnect(() =>
        Effect.gen(function* () {
          for (const data of ["1", "2"]) taken.push(yield* mustPut("k", { data }))
          return TestBackend.accept
        })
      )
      const { client } = yield* gateway.accepted()
      assert.deepEqual(yield* valuesUntilNow(gateway, [client]), [["message 2"]])
      assert.deepEqual(taken, [0, 0])
    })
  )

  it.scopedLive("is never missed and never comes twice, whenever a stream opens", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { mustPut } = retained(gateway)
      yield* mustPut("k", { data: "0" })
      const last = 60
      const putting = Effect.forEach(
        Array.from({ length: last }, (_, index) => index + 1),
        (value) => mustPut("k", { data: `${value}` }),
        { discard: true }
      )
      const opening = Effect.forEach(
        Array.from({ length: 40 }, (_, index) => index),
        (index) =>
          index % 2 === 0 ? gateway.watch(`s${index}`) : Effect.map(gateway.accepted(), ({ client }) => client),
        { concurrency: 4 }
      )
      const [clients] = yield* Effect.all([opening, putting], { concurrency: 2 })
      for (const got of yield* valuesUntilNow(gateway, clients)) {
        const first = Number(got[0]?.split(" ")[1])
        const all = Array.from({ length: last - first + 1 }, (_, index) => `message ${first + index}`)
        assert.deepEqual(got, all)
      }
    })
  )

  it.effect("waits for hello on a stream whose session is still read", () =>
    Effect.gen(function* () {
      const { connections, faulty } = yield* ConnectionRooms.rooms
      const held = yield* FaultyStore.holds
      faulty.next("load", held)
      const socket = new TestSocket.TestSocket()
      ConnectionRooms.open(connections, s1, undefined, socket)
      yield* held.reached
      const encoded = Broadcast.encode({ name: "config", data: "x" }, "data: x\n\n", 0)
      assert.equal(connections.retain("k", encoded), 0)
      assert.equal(socket.received, "")
      yield* held.release
      yield* socket.named("sluice.live")
      assert.deepEqual(
        socket.events.map(({ name }) => name),
        ["sluice.hello", "config", "sluice.live"]
      )
      // One write, and no copy for the next stream.
      assert.equal(socket.writes.length, 1)
      const other = ConnectionRooms.open(connections, s1)
      yield* other.named("sluice.live")
      assert.equal(other.frames[0], socket.frames[0])
    }).pipe(Effect.provide(ConnectionRooms.layer()))
  )

  it.scopedLive("survives a restart, also into a profile that has no frame for it", () =>
    Effect.gen(function* () {
      const store = yield* Engines.sqlite
      const before = yield* Scope.make()
      yield* Effect.gen(function* () {
        const { mustPut, remove } = retained(yield* Gateway.make({ store }))
        yield* mustPut("a", { name: "config", data: "1" })
        yield* mustPut("a", { name: "config", data: "2" })
        yield* mustPut("gone", { data: "x" })
        assert.equal((yield* remove("gone")).status, 204)
        yield* mustPut("lines", { name: "two", data: "b\nc" })
      }).pipe(Scope.extend(before))
      yield* Scope.close(before, Exit.void)

      const again = yield* Scope.make()
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway.make({ store })
        const streams = yield* ofEachKind(gateway)
        assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(streams)), fourTimes("config 2", "two b\nc"))
        const { data, name } = Call.json(yield* retained(gateway).get("lines"))
        assert.deepEqual([name, data], ["two", "b\nc"])
        assert.equal((yield* retained(gateway).remove("a")).status, 204)
      }).pipe(Scope.extend(again))
      yield* Scope.close(again, Exit.void)

      const gateway = yield* Gateway.make({ store, env: { SLUICE_GATEWAY_PROFILE: "ssegateway" } })
      const { client, token } = yield* gateway.accepted()
      yield* gateway.say(token, "alive")
      yield* client.until((text) => text.includes("alive"))
      assert.equal(client.text(), "event: ready\ndata:\n\ndata: alive\n\n")
      const session = yield* gateway.watch("a")
      yield* session.named("two")
    })
  )
})

describe("PUT, GET and DELETE /v1/retained/:key", () => {
  it.scopedLive("refuse what is not allowed, and store nothing of it (promise 8)", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make({ http: { maxEventBytes: 1000 } })
      const { get, mustPut, put, remove } = retained(gateway)
      yield* mustPut("k", { data: "kept" })
      const kept = Call.json(yield* get("k"))
      for (const key of ["a%20b", "a%2Fb", "%C3%A4", "x".repeat(129), "%2e%2e", "a%0ab"]) {
        for (const answer of [yield* put(key, { data: "x" }), yield* get(key), yield* remove(key)]) {
          const { field } = Call.assertError(answer, 400, "INVALID_REQUEST")
          assert.equal(field, "key")
        }
      }
      for (const body of [
        "",
        "no json",
        "[]",
        "1",
        {},
        { name: "n" },
        { name: 1, data: "x" },
        { name: "a\nb", data: "x" },
        { name: "sluice.hello", data: "x" },
        { events: [{ data: "x" }] }
      ]) {
        Call.assertError(yield* put("k", body), 400, "INVALID_REQUEST")
        Call.assertError(yield* put("new", body), 400, "INVALID_REQUEST")
      }
      Call.assertError(yield* put("k", { data: "x".repeat(1001) }), 413, "PAYLOAD_TOO_LARGE")
      assert.deepEqual(Call.json(yield* get("k")), kept)
      Call.assertError(yield* get("new"), 404, "RETAINED_NOT_FOUND")
      const client = yield* gateway.watch("a")
      assert.deepEqual(yield* valuesUntilNow(gateway, [client]), [["message kept"]])
    })
  )

  it.scopedLive("take a key percent-encoded, and half a surrogate pair as U+FFFD everywhere", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const { get, put } = retained(gateway)
      const early = yield* ofEachKind(gateway)
      const answer = yield* put("a%3Ab", '{"name":"n","data":"\\ud800"}')
      assert.deepEqual(Call.json(answer), { key: "a:b", connections: 4 })
      assert.equal(Call.json(yield* get("a:b"))["data"], "\ufffd")
      const later = yield* ofEachKind(gateway)
      for (const streams of [early, later]) {
        assert.deepEqual(yield* valuesUntilNow(gateway, Object.values(streams)), fourTimes("n \ufffd"))
      }
    })
  )

  it.scopedLive("know no other method, and need the key when there is one", () =>
    Effect.gen(function* () {
      const gateway = yield* Gateway.make()
      const answer = yield* gateway.post(path("k"), { data: "x" })
      Call.assertError(answer, 405, "METHOD_NOT_ALLOWED")
      assert.equal(answer.headers.allow, "GET, PUT, DELETE")
      const locked = retained(yield* Gateway.make({ http: { apiKey: Redacted.make("key") } }))
      for (const answer of [yield* locked.put("k", { data: "x" }), yield* locked.get("k"), yield* locked.remove("k")]) {
        Call.assertError(answer, 401, "UNAUTHORIZED")
      }
      assert.equal((yield* locked.put("k", { data: "x" }, { Authorization: "Bearer key" })).status, 200)
    })
  )
})
