import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import * as CallbackHandler from "../../src/backend/CallbackHandler.ts"
import * as CallbackRoute from "../../src/backend/CallbackRoute.ts"
import * as ConnectionManager from "../../src/backend/ConnectionManager.ts"
import * as CallbackSignature from "../../src/callback/CallbackSignature.ts"
import * as TestGateway from "../../src/testing/TestGateway.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as TestRoutes from "./TestRoutes.ts"

const secret = Redacted.make("the shared secret")
const path = "/api/sse/callback"

const make = (route: CallbackRoute.Options = {}, options?: CallbackHandler.Options) =>
  Effect.gen(function* () {
    const services = CallbackHandler.layer(options).pipe(
      Layer.provideMerge(ConnectionManager.layer()),
      Layer.provide(TestGateway.layer)
    )
    const context = yield* Layer.build(services)
    const { call } = yield* TestRoutes.make(
      CallbackRoute.layer(route).pipe(Layer.provide(Layer.succeedContext(context)))
    )
    const manager = yield* Effect.provide(ConnectionManager.ConnectionManager, context)
    const post = (body: unknown, headers: Record<string, string> = {}, target = path) =>
      call(target, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers })
    return { manager, post }
  })

const connect = (requestId: string, token: string) => ({
  action: "connect",
  token,
  request: {
    url: `/stream?x=1&request_id=${encodeURIComponent(requestId)}`,
    headers: { cookie: "a", via: ["b", "c"] }
  },
  more: "ignored"
})

const disconnect = (token: string) => ({ action: "disconnect", token, reason: "client_closed" })

describe("CallbackRoute", () => {
  it.scoped(
    "answers a valid connect and disconnect with 200, and the manager has request id, token and url (S139)",
    () =>
      Effect.gen(function* () {
        const { manager, post } = yield* make()
        const seen: Array<unknown> = []
        yield* manager.observe("seen", ({ requestId, url }) => Effect.sync(() => seen.push([requestId, url])))
        const answer = yield* post(connect("R 1/ü", "T1"))
        assert.deepEqual([answer.status, JSON.parse(answer.text)], [200, { request_id: "R 1/ü" }])
        assert.equal(manager.find("R 1/ü")?.url, "/stream?x=1&request_id=R%201%2F%C3%BC")
        const bye = yield* post(disconnect("T1"))
        assert.deepEqual([bye.status, bye.text], [200, ""])
        assert.deepEqual(manager.all(), [])
        assert.equal((yield* post(disconnect("T1"))).status, 200, "also when it is unknown")
      })
  )

  for (const [what, body, field] of [
    ["without request_id", { ...connect("R1", "T1"), request: { url: "/stream", headers: {} } }, "request_id"],
    ["with an empty request_id", connect("", "T1"), "request_id"],
    ["with a request_id that is too long", connect("x".repeat(257), "T1"), "request_id"],
    ["with a control in its request_id", connect("a\nb", "T1"), "request_id"],
    ["without a token", { ...connect("R1", "T1"), token: undefined }, "token"],
    ["with an empty token", connect("R1", ""), "token"],
    ["without a request", { action: "connect", token: "T1" }, "request"],
    [
      "with headers that are none",
      { ...connect("R1", "T1"), request: { url: "/?request_id=R1", headers: 1 } },
      "request.headers"
    ],
    ["of an unknown action", { ...connect("R1", "T1"), action: "reconnect" }, "action"],
    ["of a disconnect without a token", { action: "disconnect" }, "token"],
    ["that is no object", "1", "body"],
    ["without a body", "", "body"],
    ["of broken JSON", "{", "body"]
  ] as const) {
    it.scoped(`answers a callback ${what} with 400 and details, and registers nobody (S139)`, () =>
      Effect.gen(function* () {
        const { manager, post } = yield* make()
        const answer = yield* post(body)
        assert.equal(answer.status, 400, answer.text)
        const { error } = JSON.parse(answer.text)
        assert.equal(error.code, "INVALID_REQUEST")
        assert.include(
          error.details.map((detail: { readonly field: string }) => detail.field),
          field
        )
        assert.notInclude(answer.text, ".ts:")
        assert.deepEqual(manager.all(), [])
      })
    )
  }

  for (const [what, headers] of [
    ["no secret", {}],
    ["a wrong secret of the same length", { [CallbackSignature.secretHeader]: "the shared secreT" }],
    ["a longer one", { [CallbackSignature.secretHeader]: "the shared secret and more" }],
    ["a shorter one", { [CallbackSignature.secretHeader]: "t" }],
    ["an empty one", { [CallbackSignature.secretHeader]: "" }],
    [
      "the right secret beside a wrong signature",
      { [CallbackSignature.secretHeader]: "the shared secret", [CallbackSignature.signatureHeader]: "sha256=00" }
    ]
  ] as const) {
    it.scoped(
      `answers a callback with ${what} with 401, before its body is looked at, and changes nothing (S140)`,
      () =>
        Effect.gen(function* () {
          const { manager, post } = yield* make({ secret })
          yield* post(connect("R1", "T1"), { [CallbackSignature.secretHeader]: "the shared secret" })
          for (const body of [connect("R2", "T2"), disconnect("T1"), "{"]) {
            assert.equal((yield* post(body, headers)).status, 401)
          }
          assert.deepEqual(
            manager.all().map(({ requestId }) => requestId),
            ["R1"]
          )
        })
    )
  }

  it.scoped("believes nobody without a secret also when the configured one is empty (S140)", () =>
    Effect.gen(function* () {
      const { post } = yield* make({ secret: Redacted.make("") })
      assert.equal((yield* post(connect("R1", "T1"))).status, 401)
    })
  )

  it.scoped("takes the secret itself, and a signature over the body as it came, while it is fresh (S140)", () =>
    Effect.gen(function* () {
      const { manager, post } = yield* make({ secret })
      const signed = (body: string, seconds: number) =>
        post(body, {
          [CallbackSignature.timestampHeader]: String(seconds),
          [CallbackSignature.signatureHeader]: CallbackSignature.sign(secret, String(seconds), body)
        })
      const body = JSON.stringify(connect("R1", "T1"), undefined, 2)
      // The clock of the test stands at 0.
      assert.equal((yield* signed(body, 301)).status, 401)
      assert.equal((yield* signed(body, 299)).status, 200)
      assert.isDefined(manager.find("R1"))
      const plain = { [CallbackSignature.secretHeader]: "the shared secret" }
      assert.equal((yield* post(connect("R2", "T2"), plain)).status, 200)
    })
  )

  it.scoped(
    "gives each connection what it was admitted with, and nothing to the next one with its request id (S141)",
    () =>
      Effect.gen(function* () {
        const seen: Array<string | undefined> = []
        const { manager, post } = yield* make(
          {},
          {
            admit: ({ headers }) =>
              Effect.succeed(
                headers["cookie"] === "alice"
                  ? {
                      subject: "alice",
                      watch: [{ session: "s1", from: "start" as const }],
                      expiresIn: Duration.minutes(1)
                    }
                  : {}
              )
          }
        )
        yield* manager.observe("seen", ({ subject }) => Effect.sync(() => seen.push(subject)))
        const as = (cookie: string, token: string) => {
          const body = connect("R1", token)
          return post({ ...body, request: { ...body.request, headers: { cookie } } })
        }
        const alice = yield* as("alice", "T1")
        assert.deepEqual(JSON.parse(alice.text), {
          request_id: "R1",
          watch: [{ session: "s1", from: "start" }],
          expires_in: 60
        })
        const other = yield* as("nobody", "T2")
        assert.deepEqual(JSON.parse(other.text), { request_id: "R1" })
        yield* settled
        assert.deepEqual(seen, ["alice", undefined], "bound before observers run, cleared on replacement")
      })
  )

  it.scoped("refuses with what the application says, before anything is registered, and keeps who was there", () =>
    Effect.gen(function* () {
      const { manager, post } = yield* make(
        {},
        {
          admit: ({ headers }) =>
            headers["cookie"] === "a"
              ? Effect.fail(new CallbackHandler.ConnectRefused({ status: 403, message: "not you" }))
              : Effect.succeed({ subject: "first" })
        }
      )
      yield* post({ action: "connect", token: "T1", request: { url: "/?request_id=R1", headers: {} } })
      const answer = yield* post(connect("R1", "T2"))
      assert.equal(answer.status, 403)
      assert.deepEqual(JSON.parse(answer.text), { error: { code: "CONNECT_REFUSED", message: "not you" } })
      assert.equal(manager.find("R1")?.subject, "first")
    })
  )

  it.scoped("answers 500 without a stack when the application's own code dies", () =>
    Effect.gen(function* () {
      const { manager, post } = yield* make({}, { admit: () => Effect.die(new Error("s3cret")) })
      const answer = yield* post(connect("R1", "T1"))
      assert.equal(answer.status, 500)
      assert.notInclude(answer.text, "s3cret")
      assert.deepEqual(manager.all(), [])
    })
  )

  it.scoped("is a route beside those of the application, at a path of its choice", () =>
    Effect.gen(function* () {
      const { post } = yield* make({ path: "/mine" })
      assert.equal((yield* post(connect("R1", "T1"), {}, "/mine")).status, 200)
      assert.equal((yield* post(connect("R1", "T1"))).status, 404)
    })
  )
})
