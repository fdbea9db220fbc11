import * as assert from "node:assert/strict"
import { Effect, Either, Fiber, Predicate } from "effect"
import * as ServerConfig from "../../src/server/ServerConfig.ts"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as TestBackend from "../../src/testing/TestBackend.ts"
import type * as TestServer from "../../src/testing/TestServer.ts"
import * as Call from "../http/Call.ts"
import * as Sluice from "../http/Sluice.ts"

/** What a test wants otherwise than by default. */
export interface Options {
  /** As an operator sets it (contract §1). `CALLBACK_URL` is that of the test's own backend; empty, there is none. */
  readonly env?: Readonly<Record<string, string>>
  readonly connection?: TestServer.Overrides["connection"]
  readonly http?: TestServer.Overrides["http"]
  readonly store?: TestServer.Overrides["store"]
}

/** The rooms that the environment decides. */
const overrides = (
  backend: string,
  { connection = {}, env = {}, http = {}, store = { _tag: "Memory" } }: Options
): TestServer.Overrides => {
  const given = { env: { CALLBACK_URL: backend, ...env }, flags: {}, insecure: false, isTerminal: false }
  const { callback, gateway } = Either.getOrThrow(ServerConfig.make(given))
  return { callback, gateway, connection, http, store }
}

/** One accepted stream, and the token that the backend knows it by. */
export interface Accepted {
  readonly client: StreamClient.StreamClient
  readonly token: string
  readonly target: string
}

export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Statuses that no `EventSource` can take for a stream, in the form of every error. */
export const assertRefused = (answer: Call.Answer, status: number, code: string) => {
  for (const name of ["cache-control", "x-accel-buffering"]) assert.equal(answer.headers[name], undefined)
  return Call.assertError(answer, status, code)
}

/** What a test does with a gateway and the backend behind it. `url` is the gateway's. */
export const at = (url: string, backend: TestBackend.TestBackend) => {
  const sluice = Sluice.at(url)
  let targets = 0
  /** Never asked for before, so that its connect can be found. */
  const newTarget = () => {
    targets += 1
    return `/sse/n${targets}`
  }

  /** A request for a stream, whatever its answer. */
  const open = (target: string, headers = {}) => StreamClient.open(`${url}${target}`, { headers })

  /** The token that the latest connect for this target has. */
  const tokenOf = (target: string): string => {
    const calls = backend.calls().filter(({ action, request }) => action === "connect" && request.url === target)
    return calls[calls.length - 1]?.token ?? assert.fail(`no connect for ${target}`)
  }

  const accepted = (target = newTarget(), headers = {}) =>
    Effect.map(open(target, headers), (client): Accepted => {
      assert.equal(client.status, 200)
      return { client, token: tokenOf(target), target }
    })

  const send = (body: unknown, headers = {}) => sluice.post("/internal/send", body, headers)

  /** A send that must be taken; `status` is what the backend is told. */
  const mustSend = (body: unknown, status = "ok") =>
    Effect.map(send(body), (answer) => {
      assert.equal(answer.status, 200, answer.text)
      assert.equal(Call.json(answer)["status"], status)
    })

  const say = (token: string, data: string) => mustSend({ token, event: { data } })

  const assertGone = (token: string) =>
    Effect.map(send({ token }), (answer) => {
      Call.assertError(answer, 404, "TOKEN_NOT_FOUND")
    })

  /**
   * A client that has left while its callback is held back, as the server knows. `release` lets the backend answer; other
   * connects are accepted.
   */
  const leftDuringCallback = (reply: TestBackend.Reply) =>
    Effect.gen(function* () {
      const held = yield* Effect.makeLatch()
      const target = newTarget()
      backend.onConnect(({ request }) =>
        request.url === target ? Effect.as(held.await, reply) : Effect.succeed(TestBackend.accept)
      )
      const client = yield* Effect.fork(Effect.scoped(open(target)))
      const calls = yield* backend.until((calls) => calls.some(({ request }) => request.url === target))
      const token = calls[calls.length - 1]?.token ?? assert.fail("no token")
      yield* mustSend({ token, event: { data: "lost" } }, "buffered")
      yield* Fiber.interrupt(client)
      // The end of its socket was there before all of this.
      yield* callsAfterAnother
      return { token, release: held.open } as const
    })

  /** Asks until no connection has this token. */
  const untilGone = (token: string) => Effect.repeat(send({ token }), { until: ({ status }) => status === 404 })

  /** The open connections as operators see them. */
  const connections = Effect.map(sluice.call("/v1/connections"), (answer) => {
    assert.equal(answer.status, 200, answer.text)
    const list = Call.json(answer)["connections"]
    assert.ok(Array.isArray(list))
    return list.map((entry: unknown) => {
      assert.ok(Predicate.isRecord(entry))
      return entry
    })
  })

  const openTokens = Effect.map(connections, (list) => list.map((entry) => String(entry["token"])))

  /**
   * The whole life of another stream, until the backend has answered for its end: what had left for the backend before has
   * arrived there. Its own calls are left out of the answer.
   */
  const callsAfterAnother = Effect.gen(function* () {
    const { client, token } = yield* accepted()
    yield* mustSend({ token, close: true })
    yield* client.ended
    yield* backend.disconnects(1, token)
    return backend.calls().filter((call) => call.token !== token)
  }).pipe(Effect.scoped, Effect.orDie)

  return {
    ...sluice,
    backend,
    newTarget,
    open,
    tokenOf,
    accepted,
    send,
    mustSend,
    say,
    assertGone,
    untilGone,
    leftDuringCallback,
    connections,
    openTokens,
    callsAfterAnother
  } as const
}

export type Gateway = ReturnType<typeof at>

/** A server with a backend of its own, until the scope closes. The backend outlives the server and hears its last words. */
export const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const backend = yield* TestBackend.make
    const { url } = yield* Sluice.make(overrides(backend.url, options))
    return at(url, backend)
  })

/** What the backend was told of one action, shortly. */
export const told = (calls: ReadonlyArray<TestBackend.Call>, action: "connect" | "disconnect") =>
  calls.filter((call) => call.action === action).map(({ reason, token }) => ({ token, reason }))
