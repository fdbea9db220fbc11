import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Call from "./Call.ts"
import * as RawSocket from "./RawSocket.ts"
import * as Sluice from "./Sluice.ts"

const maxBodyBytes = 20_000
/** Stops soon, although a client may still be sending what was refused. */
const limited = Sluice.make({ http: { maxBodyBytes }, listen: { drain: Duration.seconds(1) } })
const asked = (path: string, ...headers: ReadonlyArray<string>) =>
  RawSocket.head(`POST ${path} HTTP/1.1`, ["Content-Type: application/json", ...headers])

const append = "/v1/sessions/a/events"
/** One route that answers from the listener, one behind the platform's router. */
const routes = [append, "/v1/connections/t/watch"]

for (const path of routes) {
  describe(`the body of POST ${path}`, () => {
    it.scopedLive("is refused by its Content-Length, before a byte of it is sent", () =>
      Effect.gen(function* () {
        const sluice = yield* limited
        const socket = yield* RawSocket.open(sluice.url)
        yield* socket.write(asked(path, `Content-Length: ${maxBodyBytes + 1}`))
        const text = yield* socket.until((received) => received.includes("PAYLOAD_TOO_LARGE"))
        assert.match(text, /^HTTP\/1\.1 413 /)
        assert.match(text, /"limit":20000/)
        // What follows must not be taken for a request.
        yield* socket.closed
      })
    )

    it.scopedLive("is counted when it comes in chunks, and 413 as soon as it is too long", () =>
      Effect.gen(function* () {
        const sluice = yield* limited
        const socket = yield* RawSocket.open(sluice.url)
        yield* socket.write(asked(path, "Transfer-Encoding: chunked"))
        yield* socket.write(`2710\r\n${" ".repeat(10_000)}\r\n`)
        yield* socket.write(`2711\r\n${" ".repeat(10_001)}\r\n`)
        const text = yield* socket.until((received) => received.includes("PAYLOAD_TOO_LARGE"))
        assert.match(text, /^HTTP\/1\.1 413 /)
        assert.match(text, /"limit":20000/)
      })
    )

    it.scopedLive("is 415 with any Content-Encoding, also identity", () =>
      Effect.gen(function* () {
        const sluice = yield* limited
        for (const encoding of ["gzip", "br", "deflate", "identity"]) {
          const answer = yield* sluice.post(path, "{}", { "Content-Encoding": encoding })
          Call.assertError(answer, 415, "UNSUPPORTED_ENCODING")
        }
      })
    )

    it.scopedLive("is 413 for a client that has sent all of it before it reads", () =>
      Effect.gen(function* () {
        const sluice = yield* limited
        for (const body of [" ".repeat(3_000_000), Array.from({ length: 30 }, () => " ".repeat(100_000))]) {
          const answer = yield* sluice.call(path, {
            method: "POST",
            body,
            headers: { "Content-Type": "application/json" }
          })
          const details = Call.assertError(answer, 413, "PAYLOAD_TOO_LARGE")
          assert.deepEqual(Call.pick(details, "field", "limit"), { field: "body", limit: maxBodyBytes })
        }
      })
    )
  })
}

describe("the body of an append", () => {
  it.scopedLive("passes at exactly the limit, with a length or in chunks", () =>
    Effect.gen(function* () {
      const sluice = yield* limited
      const body = `{"data":"${"x".repeat(maxBodyBytes - 11)}"}`
      assert.equal(body.length, maxBodyBytes)
      assert.equal((yield* sluice.call(append, { method: "POST", body })).status, 201)
      const chunks = [body.slice(0, 7000), body.slice(7000, 7001), body.slice(7001)]
      assert.equal((yield* sluice.call(append, { method: "POST", body: chunks })).status, 201)
      Call.assertError(yield* sluice.call(append, { method: "POST", body: [...chunks, " "] }), 413, "PAYLOAD_TOO_LARGE")
    })
  )

  it.scopedLive("may be cut anywhere, also in the middle of a character", () =>
    Effect.gen(function* () {
      const sluice = yield* limited
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(asked(append, "Transfer-Encoding: chunked"))
      for (const byte of Buffer.from('{"data":"é😀"}')) {
        yield* socket.writeBytes(Buffer.concat([Buffer.from("1\r\n"), Buffer.from([byte]), Buffer.from("\r\n")]))
      }
      yield* socket.write("0\r\n\r\n")
      yield* socket.until((text) => text.includes('"head":1}'))
      const client = yield* sluice.watch("a", "from=start")
      yield* client.find(({ data }) => data === "é😀")
    })
  )

  it.scopedLive("that stops in the middle stores nothing", () =>
    Effect.gen(function* () {
      const sluice = yield* limited
      yield* Effect.scoped(
        Effect.gen(function* () {
          const socket = yield* RawSocket.open(sluice.url)
          yield* socket.write(`${asked(append, "Content-Length: 20")}{"data":"x"}`)
          // The server has it in hand: a request that was sent later on another socket was answered.
          yield* sluice.call("/healthz")
        })
      )
      yield* sluice.call("/healthz")
      Call.assertError(yield* sluice.call("/v1/sessions/a"), 404, "SESSION_NOT_FOUND")
    })
  )
})
