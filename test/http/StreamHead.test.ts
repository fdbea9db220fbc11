import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Call from "./Call.ts"
import * as RawSocket from "./RawSocket.ts"
import * as Sluice from "./Sluice.ts"

const paths = ["/v1/sessions/a/stream", "/v1/stream?session=a&session=b"]
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe("the head of a stream", () => {
  for (const path of paths) {
    it.scopedLive(`of ${path} is that of the contract, uncompressed for a client that accepts gzip (S6)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const client = yield* sluice.stream(path, { "Accept-Encoding": "gzip, br" })
        assert.equal(client.status, 200)
        assert.deepEqual(
          Call.pick(
            client.headers,
            "content-type",
            "cache-control",
            "connection",
            "x-accel-buffering",
            "content-encoding"
          ),
          {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            connection: "keep-alive",
            "x-accel-buffering": "no",
            "content-encoding": undefined
          }
        )
        assert.equal(client.headers["transfer-encoding"], "chunked")
        assert.ok(Math.abs(Date.parse(client.headers.date ?? "") - Date.now()) < 60_000)
        assert.equal(client.headers["access-control-allow-origin"], undefined)
      })
    )
  }

  it.scopedLive("of an HTTP/1.0 peer promises no chunks: the stream is plain bytes that end with the socket (S6)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.add("a", { data: "before" })
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(RawSocket.head("GET /v1/sessions/a/stream?from=start HTTP/1.0"))
      yield* socket.until((text) => text.includes("sluice.live"))
      yield* sluice.add("a", { data: "live" })
      const text = yield* socket.until((received) => received.includes("data: live\n\n"))
      const [head = "", ...body] = text.split("\r\n\r\n")
      assert.match(head, /\r\nConnection: close(?:\r\n|$)/)
      assert.doesNotMatch(head, /Transfer-Encoding|Content-Length/i)
      assert.equal(body.length, 1)
      assert.match(body.join(), /^retry: \d+\nid: [^\n]+\nevent: sluice\.hello\n/)
      assert.match(body.join(), /\nid: [a-z0-9]+\.2\ndata: live\n\n$/)
      yield* Effect.flatMap(sluice.call("/v1/sessions/a", { method: "DELETE" }), () => socket.closed)
    })
  )
})

describe("sluice.hello", () => {
  it.scopedLive("is the first frame of a session that nobody knows, at once, and names every field (S53)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make({ connection: { heartbeat: Duration.seconds(17) } })
      const client = yield* sluice.watch("nobody")
      const [hello] = yield* client.take(1)
      assert.ok(hello)
      assert.equal(hello.name, "sluice.hello")
      const { token, ...rest } = Call.json(hello)
      assert.match(String(token), uuid)
      assert.deepEqual(rest, {
        heartbeat: 17,
        retry: 2000,
        session: "nobody",
        epoch: null,
        cursor: null,
        oldest: 1,
        head: 0,
        mode: "started"
      })
      assert.match(client.text(), /^retry: 2000\n/)
      // An id that belongs to no log: whoever breaks off here still misses nothing.
      assert.equal(hello.lastId, "0.0")
    })
  )

  it.scopedLive("tells an idle session's epoch, cursor, oldest and head, and carries the cursor as its id (S53)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { epoch } = yield* sluice.add("a", { events: Sluice.numbered(1, 5) })
      const client = yield* sluice.watch("a")
      const [hello, live] = yield* client.take(2)
      assert.ok(hello && live)
      assert.deepEqual(Call.pick(Call.json(hello), "session", "epoch", "cursor", "oldest", "head", "mode"), {
        session: "a",
        epoch,
        cursor: `${epoch}.5`,
        oldest: 1,
        head: 5,
        mode: "started"
      })
      assert.equal(hello.lastId, `${epoch}.5`)
      assert.deepEqual([live.name, Call.json(live)], ["sluice.live", { session: "a", cursor: `${epoch}.5` }])
    })
  )

  it.scopedLive("of a stream over several has a member for each session, in the order of the request (S53)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { epoch } = yield* sluice.add("b", { events: Sluice.numbered(1, 3) })
      const client = yield* sluice.stream(`/v1/stream?session=b@${epoch}.1&session=unknown`)
      const [hello] = yield* client.take(1)
      assert.ok(hello)
      const { token, ...rest } = Call.json(hello)
      assert.match(String(token), uuid)
      assert.deepEqual(rest, {
        heartbeat: 15,
        retry: 2000,
        sessions: [
          { session: "b", epoch, cursor: `${epoch}.1`, oldest: 1, head: 3, mode: "resumed" },
          { session: "unknown", epoch: null, cursor: null, oldest: 1, head: 0, mode: "started" }
        ]
      })
    })
  )

  it.scopedLive("has another token on every stream (S53)", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const clients = yield* Effect.all(
        Array.from({ length: 20 }, () => sluice.watch("a")),
        { concurrency: 20 }
      )
      const hellos = yield* Effect.forEach(clients, (client) => client.named("sluice.hello"))
      assert.equal(new Set(hellos.map((hello) => Call.json(hello)["token"])).size, 20)
    })
  )
})
