import * as assert from "node:assert/strict"
import { createHash } from "node:crypto"
import * as Http from "node:http"
import { describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Door from "../../src/client/index.ts"
import * as ClientScript from "../../src/http/ClientScript.ts"
import { Exchange } from "../../src/http/Exchange.ts"
import * as Call from "./Call.ts"
import * as Sluice from "./Sluice.ts"

const path = "/client.js"
const listed = "https://app.example"

describe("the client's script", () => {
  it.scopedLive("is JavaScript of a known length that is asked for anew each time, with a key and without", () =>
    Effect.gen(function* () {
      for (const apiKey of [undefined, Redacted.make("k")]) {
        const sluice = yield* Sluice.make({ http: { apiKey } })
        const { headers, status, text } = yield* sluice.call(path)
        assert.equal(status, 200)
        assert.deepEqual(
          Call.pick(headers, "content-type", "content-length", "x-content-type-options", "cache-control", "etag"),
          {
            "content-type": "text/javascript; charset=utf-8",
            "content-length": String(Buffer.byteLength(text)),
            "x-content-type-options": "nosniff",
            "cache-control": "no-cache",
            etag: `"${createHash("sha256").update(text).digest("base64url")}"`
          }
        )
      }
    })
  )

  it.scopedLive("is compressed for who takes that, under a tag of its own", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const plain = yield* sluice.call(path)
      const ask = (encoding: string) => sluice.call(path, { headers: { "Accept-Encoding": encoding } })
      for (const encoding of ["gzip", "deflate, gzip;q=0.8, br"]) {
        const { headers } = yield* ask(encoding)
        assert.equal(headers["content-encoding"], "gzip")
        assert.match(headers.vary ?? "", /Accept-Encoding/)
        assert.notEqual(headers.etag, plain.headers.etag)
        assert.ok(Number(headers["content-length"]) < Number(plain.headers["content-length"]) / 2)
      }
      for (const encoding of ["", "identity", "gzip;q=0"]) {
        assert.equal((yield* ask(encoding)).headers["content-encoding"], undefined, encoding)
      }
    })
  )

  it.scopedLive("is one module that imports nothing and has the client's door", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { text } = yield* sluice.call(path)
      assert.doesNotMatch(text, /\bimport\b|\bfrom\s*["']|\brequire\b/)
      const door = yield* Effect.promise(() => import(`data:text/javascript;base64,${btoa(text)}`))
      assert.deepEqual(Object.keys(door).sort(), Object.keys(Door).sort())
    })
  )

  it.scopedLive("is 304 for whoever has it, also by a tag that a proxy made weak or among others", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const { etag = "" } = (yield* sluice.call(path)).headers
      for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        const answer = yield* sluice.call(path, { headers: { "If-None-Match": tags } })
        assert.deepEqual([answer.status, answer.text, answer.headers.etag], [304, "", etag], tags)
        assert.equal(answer.headers["cache-control"], "no-cache")
      }
      for (const tags of ['"other"', etag.slice(1, -1), ""]) {
        assert.equal((yield* sluice.call(path, { headers: { "If-None-Match": tags } })).status, 200, tags)
      }
    })
  )

  it.scopedLive("has the same head for HEAD, and no body", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      const names = ["content-type", "content-length", "etag"]
      const [head, get] = [yield* sluice.call(path, { method: "HEAD" }), yield* sluice.call(path)]
      assert.deepEqual([head.status, head.text], [200, ""])
      assert.deepEqual(Call.pick(head.headers, ...names), Call.pick(get.headers, ...names))
    })
  )

  it.scopedLive("is for the pages of listed origins, as all other routes", () =>
    Effect.gen(function* () {
      for (const apiKey of [undefined, Redacted.make("k")]) {
        const sluice = yield* Sluice.make({ http: { apiKey, corsOrigins: [listed] } })
        const { etag } = (yield* sluice.call(path)).headers
        for (const [status, more] of [
          [200, {}],
          [304, { "If-None-Match": etag }]
        ] as const) {
          const answer = yield* sluice.call(path, { headers: { Origin: listed, ...more } })
          assert.equal(answer.status, status)
          assert.equal(answer.headers["access-control-allow-origin"], listed)
          assert.match(answer.headers.vary ?? "", /\bOrigin\b/)
        }
        const other = yield* sluice.call(path, { headers: { Origin: "https://evil.example" } })
        assert.equal(other.headers["access-control-allow-origin"], undefined)
        if (apiKey === undefined) Call.assertError(other, 403, "ORIGIN_NOT_ALLOWED")
      }
    })
  )

  it.scopedLive("is 404 where it was not built", () =>
    Effect.gen(function* () {
      const send = ClientScript.make("sluice/not-built.js")
      const server = Http.createServer((request, response) =>
        send(new Exchange(request, response, {}, () => undefined))
      )
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => server.close())
      )
      const address = server.address()
      assert.ok(address !== null && typeof address === "object")
      Call.assertError(yield* Call.call(`http://127.0.0.1:${address.port}`, path), 404, "NOT_FOUND")
    })
  )
})
