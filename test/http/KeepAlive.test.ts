import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as RawSocket from "./RawSocket.ts"
import * as Sluice from "./Sluice.ts"

const append = (session: string, data: string, ...headers: ReadonlyArray<string>) => {
  const body = JSON.stringify({ data })
  return `${RawSocket.head(`POST /v1/sessions/${session}/events HTTP/1.1`, [`Content-Length: ${Buffer.byteLength(body)}`, ...headers])}${body}`
}

const places = (text: string) => Array.from(text.matchAll(/"first":(\d+)/g), ([, first]) => Number(first))

describe("one connection", () => {
  it.scopedLive("carries many appends, each answered before the next is sent", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const socket = yield* RawSocket.open(sluice.url)
      for (let count = 1; count <= 50; count++) {
        yield* socket.write(append("a", `${count}`))
        yield* socket.until((text) => places(text).length === count)
      }
    })
  )

  it.scopedLive("carries appends that are pipelined: answers and numbers in the order of the requests", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(
        Sluice.range(1, 100)
          .map((data) => append("a", data))
          .join("")
      )
      const text = yield* socket.until((received) => places(received).length === 100)
      assert.deepEqual(places(text).map(String), Sluice.range(1, 100))
      const client = yield* sluice.watch("a", "from=start")
      yield* client.named("sluice.live")
      assert.deepEqual(Sluice.dataOf(client.events()), Sluice.range(1, 100))
    })
  )

  it.scopedLive("gives pipelined answers in order also when a later one is ready first", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const socket = yield* RawSocket.open(sluice.url)
      const broken = RawSocket.head("POST /v1/sessions/a/events HTTP/1.1", ["Content-Length: 1"])
      yield* socket.write(
        `${append("a", "1", "Idempotency-Key: k")}${broken}{${RawSocket.head("GET /healthz HTTP/1.1")}`
      )
      const text = yield* socket.until((received) => received.includes('{"status":"ok"}'))
      assert.deepEqual(
        Array.from(text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status),
        ["201", "400", "200"]
      )
    })
  )

  it.scopedLive("answers an append before the stream that was pipelined behind it begins", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.add("a", { data: "0" })
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(append("a", "1") + RawSocket.head("GET /v1/sessions/a/stream?from=start HTTP/1.1"))
      const text = yield* socket.until((received) => received.includes("sluice.live") && received.includes('"first":2'))
      assert.deepEqual(
        Array.from(text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status),
        ["201", "200"]
      )
    })
  )

  it.scopedLive("closes after the answer when the client asks for that", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(append("a", "1", "Connection: close"))
      assert.deepEqual(places(yield* socket.closed), [1])
    })
  )

  it.scopedLive("of a stream ends with it, properly: the last chunk, then the socket", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      yield* sluice.add("a", { data: "1" })
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(RawSocket.head("GET /v1/sessions/a/stream HTTP/1.1"))
      yield* socket.until((text) => text.includes("sluice.live"))
      yield* sluice.call("/v1/sessions/a", { method: "DELETE" })
      assert.match(yield* socket.closed, /sluice\.end\n.*\n\n\r\n0\r\n\r\n$/)
    })
  )
})
