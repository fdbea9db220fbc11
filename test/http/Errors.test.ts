import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Call from "./Call.ts"
import * as RawSocket from "./RawSocket.ts"
import * as Sluice from "./Sluice.ts"

/** Every route and what it can be asked with. */
const methods: ReadonlyArray<readonly [path: string, allowed: ReadonlyArray<string>]> = [
  ["/", ["GET", "HEAD"]],
  ["/client.js", ["GET", "HEAD"]],
  ["/healthz", ["GET", "HEAD"]],
  ["/readyz", ["GET", "HEAD"]],
  ["/v1/stream", ["GET"]],
  ["/v1/sessions", ["GET"]],
  ["/v1/sessions/a", ["GET", "DELETE"]],
  ["/v1/sessions/a/events", ["GET", "POST"]],
  ["/v1/sessions/a/stream", ["GET"]],
  ["/v1/connections/t/watch", ["POST"]],
  ["/v1/connections/t/unwatch", ["POST"]]
]

describe("a request that no route answers", () => {
  for (const path of [
    "/nope",
    "/v1",
    "/v1/",
    "/v1/nope",
    "/v1/sessions/a/nope",
    "/v1/sessions/a/events/1",
    "/v2/sessions",
    "/internal/nope",
    "/healthz/x",
    "/.env",
    "/%"
  ]) {
    it.scopedLive(`is a JSON 404 with every method: ${path} (S155)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
          Call.assertError(yield* sluice.call(path, { method }), 404, "NOT_FOUND")
        }
      })
    )
  }

  for (const [path, allowed] of methods) {
    it.scopedLive(`is a JSON 405 that names the right ones: ${path} (S155)`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
          if (allowed.includes(method)) continue
          const answer = yield* sluice.call(path, { method, body: "{}" })
          Call.assertError(answer, 405, "METHOD_NOT_ALLOWED")
          assert.deepEqual(answer.headers.allow?.split(", "), allowed)
        }
      })
    )
  }

  it.scopedLive("leaves the connection usable when its body was small and was read", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const socket = yield* RawSocket.open(sluice.url)
      yield* socket.write(RawSocket.head("GET /nope HTTP/1.1"))
      yield* socket.until((text) => text.includes("NOT_FOUND"))
      yield* socket.write(RawSocket.head("GET /healthz HTTP/1.1"))
      yield* socket.until((text) => text.includes('{"status":"ok"}'))
    })
  )
})

describe("HEAD", () => {
  for (const [path] of methods) {
    it.scopedLive(`has no body and opens nothing: ${path}`, () =>
      Effect.gen(function* () {
        const sluice = yield* Sluice.make()
        const socket = yield* RawSocket.open(sluice.url)
        yield* socket.write(RawSocket.head(`HEAD ${path} HTTP/1.1`, ["Connection: close"]))
        const text = yield* socket.closed
        assert.match(text, path === "/readyz" ? /^HTTP\/1\.1 503 / : /^HTTP\/1\.1 (?:200|405) /)
        assert.match(text, /\r\n\r\n$/)
        assert.equal(text.split("\r\n\r\n").length, 2)
      })
    )
  }
})

describe("what is no HTTP", () => {
  it.scopedLive("is refused and hurts nobody else", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      for (const request of ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "\u0000\u0001\u0002\r\n\r\n"]) {
        const socket = yield* RawSocket.open(sluice.url)
        yield* socket.write(request)
        assert.match(yield* socket.closed, /^HTTP\/1\.1 400 Bad Request\r\n/)
      }
      assert.equal((yield* sluice.call("/healthz")).status, 200)
    })
  )
})
