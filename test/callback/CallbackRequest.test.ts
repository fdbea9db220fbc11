import { createServer, type IncomingMessage } from "node:http"
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import * as CallbackRequest from "../../src/callback/CallbackRequest.ts"

const told = (...rawHeaders: ReadonlyArray<string>) => CallbackRequest.make("/sse", rawHeaders, "all")
const withHeaders = (headers: string) => `{"url":"/sse","headers":${headers}}`

/** The requests as Node's own server has them, sent one after the other on one socket. */
const readByNode = (requests: ReadonlyArray<string>) =>
  Effect.async<ReadonlyArray<IncomingMessage>>((resume) => {
    const read: Array<IncomingMessage> = []
    const server = createServer({ requireHostHeader: false }, (request, response) => {
      read.push(request)
      response.end()
      if (read.length === requests.length) resume(Effect.succeed(read))
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (typeof address === "object" && address !== null)
        connect(address.port).end(requests.join(""), "latin1").resume()
    })
    return Effect.sync(() => server.close())
  })

describe("what the backend is told of a request", () => {
  it("is its path and query as they came", () => {
    for (const url of ["/", "/sse/a%20b?x=1&x=2", "/a/../b", '/"\\', "http://host/absolute", "/\u00e9"]) {
      assert.deepStrictEqual(JSON.parse(CallbackRequest.make(url, [], "all")), { url, headers: {} })
    }
  })

  it("has every header under its lower-case name, with its value as it came (S7)", () => {
    assert.strictEqual(
      told("Authorization", "Bearer a.b", "COOKIE", "a=1;  b=2", "Last-Event-ID", "k3.7", "X-Custom", " \t\u00ff\\ "),
      withHeaders(
        `{"authorization":"Bearer a.b","cookie":"a=1;  b=2","last-event-id":"k3.7","x-custom":" \\t\u00ff\\\\ "}`
      )
    )
  })

  it("has hop-by-hop headers too, as the older sidecar did", () => {
    assert.strictEqual(
      told("Connection", "keep-alive", "Upgrade-Insecure-Requests", "1", "TE", "trailers"),
      withHeaders(`{"connection":"keep-alive","upgrade-insecure-requests":"1","te":"trailers"}`)
    )
  })

  const repeated: ReadonlyArray<readonly [says: string, raw: ReadonlyArray<string>, headers: string]> = [
    ["with a comma", ["X-A", "1", "x-a", "2", "X-a", ""], `{"x-a":"1, 2, "}`],
    ["with a semicolon: cookies", ["Cookie", "a=1", "cookie", "b=2"], `{"cookie":"a=1; b=2"}`],
    ["as a list: set-cookie", ["Set-Cookie", "a=1", "set-cookie", "b=2"], `{"set-cookie":["a=1","b=2"]}`],
    ["not at all, where only the first counts", ["Host", "a", "host", "b"], `{"host":"a"}`]
  ]
  for (const [says, raw, headers] of repeated) {
    it(`has a repeated header joined ${says}`, () => assert.strictEqual(told(...raw), withHeaders(headers)))
  }

  it("has set-cookie as a list also when it is one", () => {
    assert.strictEqual(told("Set-Cookie", "a=1"), withHeaders(`{"set-cookie":["a=1"]}`))
  })

  it("has no header that is not there: neither null nor the word undefined (S7)", () => {
    assert.strictEqual(told("X-Odd"), withHeaders("{}"))
  })

  it("has headers of any name", () => {
    const headers = `{"__proto__":"a","constructor":"b","hasownproperty":"c"}`
    assert.strictEqual(told("__proto__", "a", "constructor", "b", "hasOwnProperty", "c"), withHeaders(headers))
  })

  it("has of the headers only those that are listed (S8)", () => {
    const raw = ["Cookie", "a=1", "X-User", "7", "Authorization", "Bearer x", "X-User", "8"]
    assert.strictEqual(
      CallbackRequest.make("/sse", raw, ["cookie", "x-user", "x-absent"]),
      withHeaders(`{"cookie":"a=1","x-user":"7, 8"}`)
    )
    assert.strictEqual(CallbackRequest.make("/sse", raw, []), withHeaders("{}"))
  })

  const name = fc.constantFrom(
    ..."Accept,accept,Age,Authorization,Content-Type,Cookie,COOKIE,Etag,Host,Origin,Set-Cookie,Referer,X-A".split(","),
    ..."User-Agent,user-agent,Sec-WebSocket-Protocol,Location,From,Server,Expires,Vary,Max-Forwards".split(",")
  )
  const character = fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
  const value = fc.string({ unit: character.map((code) => String.fromCharCode(code)) })
  const headers = fc.array(fc.tuple(name, value), { maxLength: 12 })

  it.scopedLive("is what Node has in `request.headers`, whatever came in whatever order", () =>
    Effect.gen(function* () {
      const samples = fc.sample(headers, 300)
      const heads = samples.map((pairs) => pairs.map(([name, value]) => `${name}: ${value}\r\n`).join(""))
      const requests = yield* readByNode(heads.map((head) => `GET /sse HTTP/1.1\r\n${head}\r\n`))
      assert.strictEqual(requests.length, samples.length)
      for (const { headers, rawHeaders } of requests) {
        assert.deepStrictEqual(JSON.parse(told(...rawHeaders)), { url: "/sse", headers })
      }
    })
  )
})
