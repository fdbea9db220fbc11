import * as assert from "node:assert/strict"
import * as Http from "node:http"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Effect,
  Exit,
  Fiber,
  Inspectable,
  Layer,
  Logger,
  LogLevel,
  Option,
  Redacted,
  TestClock,
  Tracer
} from "effect"
import type { SendRequest } from "../../src/domain/SendRequest.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import * as HttpGateway from "../../src/gateway/HttpGateway.ts"

const secret = "s3cr3t-8d1f"
const key = Redacted.make(secret)
const url = new URL("http://gateway.test/")
const toToken: SendRequest = {
  to: { _tag: "Token", token: "t" },
  event: { name: "n", data: "d" },
  close: false,
  service: undefined
}

const gatewayOf = (client: Layer.Layer<HttpClient.HttpClient>, options: Partial<HttpGateway.Options> = {}) =>
  Effect.map(Layer.build(Layer.provide(HttpGateway.layer({ url, key, ...options }), client)), (context) =>
    Context.get(context, Gateway)
  )

interface Asked {
  readonly method: string
  readonly url: string
  readonly authorization: string | undefined
  readonly body: unknown
  readonly signal: AbortSignal
}

const bodyOf = ({ body }: HttpClientRequest.HttpClientRequest): unknown =>
  body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(body.body)) : undefined

/** A client without a network: each request gets what `answer` says, in its own time. */
const scripted = (answer: (asked: Asked) => Effect.Effect<Response>) => {
  const asked: Array<Asked> = []
  const client = HttpClient.make((request, url, signal) => {
    const now = {
      method: request.method,
      url: url.href,
      authorization: request.headers["authorization"],
      body: bodyOf(request),
      signal
    }
    asked.push(now)
    return Effect.map(answer(now), (response) => HttpClientResponse.fromWeb(request, response))
  })
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const always = (body: unknown, status?: number) => scripted(() => Effect.sync(() => json(body, status)))
const refusing = (status: number, code: string, message: string, details?: unknown) =>
  always({ error: { code, message, details } }, status)

/** A server whose every answer a test writes itself. Where it listens, and the requests that it got. */
const serve = (answer: (request: Http.IncomingMessage, response: Http.ServerResponse) => void) =>
  Effect.gen(function* () {
    const got: Array<string> = []
    const server = Http.createServer((request, response) => {
      got.push(`${request.method} ${request.url}`)
      request.resume().once("end", () => answer(request, response))
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const address = server.address()
    assert.ok(typeof address === "object" && address !== null)
    return { url: new URL(`http://127.0.0.1:${address.port}`), got }
  })

/** The failure of a send: one line that a person can read, without the key. */
const problemOf = (gateway: typeof Gateway.Service, send = toToken) =>
  Effect.map(Effect.flip(gateway.send(send)), (error) => {
    assert.ok(error._tag === "GatewayUnavailable", error._tag)
    const { message } = error
    assert.match(message, /^[^\p{Cc}\p{Zl}\p{Zp}]{10,300}$/u)
    for (const shown of [message, Inspectable.toStringUnknown(error), Cause.pretty(Cause.fail(error))]) {
      assert.ok(!shown.includes(secret), shown)
    }
    return message
  })

describe("HttpGateway, when no answer comes", () => {
  for (const [what, answer] of [
    ["nothing", () => Effect.never],
    [
      "a head after 3 seconds, and never the end of its body",
      () => Effect.sync(() => new Response(new ReadableStream())).pipe(Effect.delay("3 seconds"))
    ]
  ] satisfies ReadonlyArray<readonly [string, () => Effect.Effect<Response>]>) {
    it.scoped(`gives up after 5 seconds, not before, and aborts the request (${what})`, () =>
      Effect.gen(function* () {
        const { asked, layer } = scripted(answer)
        const gateway = yield* gatewayOf(layer)
        const sending = yield* Effect.fork(problemOf(gateway))
        yield* TestClock.adjust("4999 millis")
        assert.ok(Option.isNone(yield* Fiber.poll(sending)))
        assert.deepEqual(
          asked.map(({ signal }) => signal.aborted),
          [false]
        )
        yield* TestClock.adjust("1 millis")
        assert.equal(yield* Fiber.join(sending), "no answer of the gateway in 5s")
        assert.deepEqual(
          asked.map(({ signal }) => signal.aborted),
          [true]
        )
      })
    )
  }

  it.scoped("aborts the request as soon as its caller is interrupted", () =>
    Effect.gen(function* () {
      const { asked, layer } = scripted(() => Effect.never)
      const gateway = yield* gatewayOf(layer)
      const sending = yield* Effect.fork(gateway.send(toToken))
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.interrupt(sending)
      assert.deepEqual(
        asked.map(({ signal }) => signal.aborted),
        [true]
      )
    })
  )
})

describe("HttpGateway asks", () => {
  it.scoped("by one request for each call, below the path of its url, with the key as Bearer", () =>
    Effect.gen(function* () {
      const { asked, layer } = scripted(({ url }) =>
        Effect.sync(() =>
          json(url.includes("/v1/connections") ? { connections: [] } : { status: "ok", connections: 3 })
        )
      )
      const gateway = yield* gatewayOf(layer, { url: new URL("http://user:pw@gateway.test:81/a/b//?x=1#y") })
      yield* gateway.send({ ...toToken, close: true, service: "s" })
      yield* gateway.send({ ...toToken, to: { _tag: "RequestId", requestId: "r" } })
      yield* gateway.close({ _tag: "All" })
      assert.equal(yield* gateway.broadcast({ name: undefined, data: "d" }, "s"), 3)
      assert.deepEqual(yield* gateway.open, [])
      const base = "http://gateway.test:81/a/b"
      assert.deepEqual(
        asked.map(({ body, method, url }) => [method, url, body]),
        [
          ["POST", `${base}/internal/send`, { token: "t", event: { name: "n", data: "d" }, close: true, service: "s" }],
          ["POST", `${base}/internal/send`, { request_id: "r", event: { name: "n", data: "d" }, close: false }],
          ["POST", `${base}/internal/send`, { request_id: null, close: true }],
          ["POST", `${base}/v1/broadcast`, { data: "d", service: "s" }],
          ["GET", `${base}/v1/connections?limit=1000&after=`, undefined]
        ]
      )
      assert.deepEqual(new Set(asked.map(({ authorization }) => authorization)), new Set([`Bearer ${secret}`]))
    })
  )

  it.scoped("without Authorization when it has no key", () =>
    Effect.gen(function* () {
      const { asked, layer } = always({ status: "ok" })
      const gateway = yield* gatewayOf(layer, { key: undefined })
      yield* gateway.send(toToken)
      assert.deepEqual(
        asked.map(({ authorization }) => authorization),
        [undefined]
      )
    })
  )

  it.scoped("and shows its key in no log and no span", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const logger = Logger.make(({ cause, message }) => {
        shown.push(Inspectable.toStringUnknown([message, Cause.pretty(cause)]))
      })
      const span: Tracer.Tracer["span"] = (name, parent, context, links, startTime, kind) => {
        const attributes = new Map<string, unknown>()
        return {
          _tag: "Span",
          spanId: "0",
          traceId: "0",
          sampled: true,
          status: { _tag: "Started", startTime },
          ...{ name, parent, context, links, kind, attributes },
          end: () => void shown.push(`span ${name}`),
          attribute: (name, value) => void shown.push(`${name}: ${Inspectable.toStringUnknown(value)}`),
          event: (name) => void shown.push(name),
          addLinks: () => {}
        }
      }
      const tracer = Tracer.make({ span, context: (execution) => execution() })
      yield* Effect.gen(function* () {
        for (const { layer } of [always({ status: "ok" }), refusing(401, "UNAUTHORIZED", `not ${secret}`)]) {
          const gateway = yield* gatewayOf(layer)
          yield* Effect.catchAll(gateway.send(toToken), (error) => Effect.logError("a send failed", error))
        }
      }).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.All),
        Effect.withTracer(tracer)
      )
      const all = shown.join("\n")
      assert.match(all, /span http\.client POST/)
      assert.match(all, /authorization: <redacted>/)
      assert.match(all, /a send failed/)
      assert.ok(!all.includes(secret), all)
    })
  )
})

describe("HttpGateway understands", () => {
  for (const [status, code, expected] of [
    [404, "TOKEN_NOT_FOUND", "TokenNotFound"],
    [400, "INVALID_TOKEN_MISSING", "TokenNotFound"],
    [503, "OVERLOADED", "Overloaded"],
    [429, "OVERLOADED", "Overloaded"],
    [500, "WRITE_FAILED", "WriteFailed"],
    [400, "INVALID_EVENT_DATA_MISSING", "InvalidRequest"],
    [404, "NOT_FOUND", "GatewayUnavailable"]
  ] as const) {
    it.scoped(`${status} ${code} as ${expected}`, () =>
      Effect.gen(function* () {
        const { asked, layer } = refusing(status, code, "why")
        const gateway = yield* gatewayOf(layer)
        assert.equal((yield* Effect.flip(gateway.send(toToken)))._tag, expected)
        assert.equal(
          (yield* Effect.flip(gateway.broadcast({ name: "n", data: "d" })))._tag === expected,
          ["InvalidRequest", "GatewayUnavailable"].includes(expected)
        )
        assert.equal(asked.length, 2)
      })
    )
  }

  it.scoped("which field was wrong, and says so once", () =>
    Effect.gen(function* () {
      for (const [status, code, details, message] of [
        [400, "INVALID_REQUEST", { field: "event.name", allowed: "must be short" }, "event.name must be short"],
        [413, "PAYLOAD_TOO_LARGE", { field: "event.data", limit: 5 }, "event.data must have at most 5 bytes"]
      ] as const) {
        const gateway = yield* gatewayOf(refusing(status, code, message, details).layer)
        const error = yield* Effect.flip(gateway.send(toToken))
        assert.ok(error._tag === "InvalidRequest")
        assert.deepEqual([error.field, error.message], [details.field, message])
      }
    })
  )
})

describe("HttpGateway lists who is open", () => {
  const connection = (index: number) => ({
    token: `t${index}`.padStart(8, "t"),
    ...(index === 7 ? { request_id: "seven" } : {}),
    watching: [],
    openedAt: "2020-01-01T00:00:00.000Z"
  })
  const pageFrom = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => connection(first + index))
  const pages: ReadonlyArray<unknown> = [
    { connections: pageFrom(0, 1000), next: "t999" },
    { connections: pageFrom(1000, 1000), next: "tt" },
    { connections: pageFrom(2000, 1) }
  ]

  it.scoped("page by page, each from where the last one ended", () =>
    Effect.gen(function* () {
      let turn = 0
      const { asked, layer } = scripted(() => Effect.sync(() => json(pages[turn++])))
      const gateway = yield* gatewayOf(layer)
      const open = yield* gateway.open
      assert.equal(open.length, 2001)
      assert.deepEqual(
        open,
        pageFrom(0, 2001).map(({ request_id: requestId, token }) => ({ token, requestId }))
      )
      assert.deepEqual(
        asked.map(({ url }) => new URL(url).searchParams.get("after")),
        ["", "t999", "tt"]
      )
    })
  )

  it.scoped("or not at all: a page that fails, or a list that does not end, is GatewayUnavailable", () =>
    Effect.gen(function* () {
      const first = { connections: pageFrom(0, 2), next: "t2" }
      const overloaded = { error: { code: "OVERLOADED", message: "" } }
      for (const second of [json({}, 500), json(overloaded, 503), json(first)]) {
        const answers = [json(first), second]
        const { asked, layer } = scripted(() => Effect.sync(() => answers.shift() ?? json({}, 500)))
        const gateway = yield* gatewayOf(layer)
        assert.equal((yield* Effect.flip(gateway.open))._tag, "GatewayUnavailable")
        assert.equal(asked.length, 2)
      }
    })
  )
})

for (const [client, layer] of [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["node:http", NodeHttpClient.layer]
] as const) {
  describe(`HttpGateway over ${client}`, () => {
    const html = `<html>\n<title>Bad Gateway</title>${"x".repeat(5000)}</html>`
    const error = (code: string, message: string) => JSON.stringify({ error: { code, message } })

    for (const [what, status, body, message] of [
      ["HTML where JSON should be", 200, html, /^the answer is not that of a gateway/],
      ["nothing", 200, "", /^the answer is not that of a gateway/],
      ["JSON of something else", 200, '{"ok":true}', /^the answer is not that of a gateway/],
      ["a proxy's page", 502, html, /^the gateway answered 502$/],
      [
        "401, since the key is wrong",
        401,
        error("UNAUTHORIZED", "a key is needed"),
        /^the gateway answered 401 UNAUTHORIZED: a key is needed$/
      ],
      ["500", 500, error("INTERNAL", "something went wrong"), /^the gateway answered 500 INTERNAL: something/],
      [
        "a message of many lines that quotes the key",
        500,
        error("X", `a\r\nb\u2028\u001b[31m${secret}${html}`),
        /^the gateway answered 500 X: a b \[31m<redacted>/
      ]
    ] as const) {
      it.scopedLive(`asks once, and says in a line what is wrong: ${what}`, () =>
        Effect.gen(function* () {
          const server = yield* serve((_, response) => response.writeHead(status).end(body))
          const gateway = yield* gatewayOf(layer, { url: server.url })
          assert.match(yield* problemOf(gateway), message)
          assert.deepEqual(server.got, ["POST /internal/send"])
        })
      )
    }

    it.scopedLive("asks once where the socket breaks, also one that was used before, and says so", () =>
      Effect.gen(function* () {
        let turn = 0
        const server = yield* serve((_, response) => {
          turn += 1
          if (turn % 2 === 1) response.end('{"status":"ok"}')
          else if (turn === 2) response.socket?.resetAndDestroy()
          else if (turn === 4) response.socket?.end()
          else response.writeHead(200, { "Content-Length": 1000 }).write("{", () => response.socket?.destroy())
        })
        const gateway = yield* gatewayOf(layer, { url: server.url })
        for (const message of [/^no answer of the gateway: \w/, /^no answer of the gateway: \w/, /broke off: \w/]) {
          yield* gateway.send(toToken)
          assert.match(yield* problemOf(gateway), message)
        }
        assert.equal(server.got.length, 6)
      })
    )

    it.scopedLive("says where nobody listens", () =>
      Effect.gen(function* () {
        const closed = yield* Effect.scoped(serve(() => {}))
        const gateway = yield* gatewayOf(layer, { url: closed.url })
        assert.equal(yield* problemOf(gateway), `no answer of the gateway: connect ECONNREFUSED ${closed.url.host}`)
      })
    )

    it.scopedLive("follows no redirect: neither the event nor the key goes elsewhere", () =>
      Effect.gen(function* () {
        const elsewhere = yield* serve((_, response) => response.end('{"status":"ok"}'))
        for (const status of [301, 302, 303, 307, 308]) {
          const server = yield* serve((_, response) =>
            response
              .writeHead(status, { Location: `${elsewhere.url.href}internal/send` })
              .end(error("TOKEN_NOT_FOUND", ""))
          )
          const gateway = yield* gatewayOf(layer, { url: server.url })
          assert.equal(yield* problemOf(gateway), `the gateway answered ${status}: a redirect is not followed`)
          assert.equal((yield* Effect.flip(gateway.open))._tag, "GatewayUnavailable")
          assert.deepEqual(server.got, ["POST /internal/send", "GET /v1/connections?limit=1000&after="])
        }
        assert.deepEqual(elsewhere.got, [])
      })
    )

    it.scopedLive("does not quote a key that no header can hold", () =>
      Effect.gen(function* () {
        const server = yield* serve((_, response) => response.end('{"status":"ok"}'))
        for (const bad of [`a\n${secret}`, `a\u0000${secret}`, `${secret}🙂`]) {
          const gateway = yield* gatewayOf(layer, { url: server.url, key: Redacted.make(bad) })
          const sent = yield* Effect.exit(gateway.send(toToken))
          assert.ok(Exit.isFailure(sent))
          const shown = Cause.pretty(sent.cause)
          assert.ok(!shown.includes(secret), shown)
        }
        assert.deepEqual(server.got, [])
      })
    )
  })
}

describe("HttpGateway over fetch", () => {
  it.scopedLive("leaves to its user what else the requests are made with, and others what they make theirs with", () =>
    Effect.gen(function* () {
      const heard: Array<string | undefined> = []
      const server = yield* serve((request, response) => {
        heard.push(request.headers["x-own"]?.toString())
        if (request.url === "/from") response.writeHead(302, { Location: "/to" }).end()
        else response.end('{"status":"ok"}')
      })
      const own = Layer.succeed(FetchHttpClient.RequestInit, { headers: { "x-own": "1" } })
      const gateway = yield* gatewayOf(Layer.provide(FetchHttpClient.layer, own), { url: server.url })
      yield* gateway.send(toToken)
      assert.deepEqual(heard, ["1"])
      const response = yield* Effect.provide(HttpClient.get(new URL("/from", server.url)), FetchHttpClient.layer)
      assert.equal(response.status, 200)
      assert.deepEqual(server.got, ["POST /internal/send", "GET /from", "GET /to"])
    })
  )

  it.scoped("changes nothing in the fiber of its caller, also where the client is another", () =>
    Effect.gen(function* () {
      const gateway = yield* gatewayOf(always({ status: "ok" }).layer)
      yield* gateway.send(toToken)
      assert.ok(Option.isNone(yield* Effect.serviceOption(FetchHttpClient.RequestInit)))
    })
  )
})
