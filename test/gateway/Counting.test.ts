import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Duration, Effect, FastCheck as fc, Layer, Metric, TestClock, TestContext } from "effect"
import { BackendRefused, BackendTimeout, BackendUnavailable, type CallbackError } from "../../src/callback/Callbacks.ts"
import { ConnectionRegistry } from "../../src/connection/ConnectionRegistry.ts"
import type { ConnectAnswer } from "../../src/domain/ConnectAnswer.ts"
import { ConnectFlow } from "../../src/gateway/ConnectFlow.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import { native } from "../../src/gateway/Profile.ts"
import { ssegateway } from "../../src/gateway/SsegatewayProfile.ts"
import * as SendMetrics from "../../src/gateway/SendMetrics.ts"
import * as MetricsText from "../../src/http/MetricsText.ts"
import * as Metrics from "../../src/telemetry/Metrics.ts"
import { open } from "../connection/ConnectionRooms.ts"
import { s1 } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import * as Exposition from "../telemetry/Exposition.ts"
import { layer, ScriptedBackend, TestVisitor, yes } from "./GatewayRooms.ts"

const answers = {
  yes: (requestId: string | undefined): Effect.Effect<ConnectAnswer, CallbackError> =>
    Effect.succeed({ ...yes, requestId }),
  "yes, for a second": (requestId: string | undefined): Effect.Effect<ConnectAnswer, CallbackError> =>
    Effect.succeed({ ...yes, requestId, expiresIn: Duration.seconds(1) }),
  no: () => Effect.fail(new BackendRefused({ status: 401, reason: "" })),
  timeout: () => Effect.fail(new BackendTimeout()),
  reset: () => Effect.fail(new BackendUnavailable({ mayHaveAccepted: true, problem: "reset" })),
  unreachable: () => Effect.fail(new BackendUnavailable({ mayHaveAccepted: false, problem: "refused" }))
}
type Answer = keyof typeof answers

type ToOne = "leave" | "close" | "send" | "break" | "pause" | "revoke"
type ToAll = "send to all" | "close all" | "shutdown"

const which = fc.nat(7)
const requestId = fc.constantFrom(undefined, "A", "B")
/** Most streams open at once, so that there is something to end. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      _tag: fc.constant("open" as const),
      answer: fc.constantFrom<Answer>("yes", "yes, for a second"),
      requestId
    })
  },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("connect" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("answer" as const),
      which,
      answer: fc.constantFrom<Answer>("yes", "no", "timeout", "reset", "unreachable"),
      requestId
    })
  },
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constantFrom<ToOne>("leave", "close", "send", "break", "pause", "revoke"),
      which
    })
  },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("a second" as const) }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constantFrom<ToAll>("send to all", "close all", "shutdown") }) }
)

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

/** A client, with what the backend knows of it. */
interface Client {
  readonly visitor: TestVisitor
  readonly token: string
  answer: Answer | undefined
}

const isAccepted = ({ answer, visitor }: Client): boolean =>
  (answer === "yes" || answer === "yes, for a second") && visitor.socket.isBegun

/** As its client sees it: the response has begun, and goes on. */
const isOpen = (client: Client): boolean => {
  const { isClosed, isDestroyed, isEnded } = client.visitor.socket
  return isAccepted(client) && !isEnded && !isDestroyed && !isClosed
}

/** Plays it, and looks after every step. */
const play = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const backend = yield* ScriptedBackend
    const connections = yield* ConnectionRegistry
    const flow = yield* ConnectFlow
    const gateway = yield* Gateway
    const text = yield* MetricsText.make
    const counts = (shown: ReturnType<typeof Exposition.read>) => ({
      connect: shown("sse_gateway_connections_total", { action: "connect" }),
      disconnect: shown("sse_gateway_connections_total", { action: "disconnect" })
    })
    const before = counts(Exposition.read(text()))
    const session = open(connections, s1)
    const clients: Array<Client> = []
    const send = (to: Parameters<typeof gateway.send>[0]["to"], close: boolean) =>
      Effect.ignore(gateway.send({ to, event: { name: undefined, data: "x" }, close, service: undefined }))

    for (const step of steps) {
      const client = "which" in step ? clients[step.which % Math.max(clients.length, 1)] : undefined
      const to = { _tag: "Token", token: client?.token ?? "" } as const
      if (step._tag === "connect" || step._tag === "open") {
        const visitor = new TestVisitor()
        const asked = backend.asked.length
        flow.connect(visitor, '{"url":"/sse/x","headers":{}}')
        yield* settled
        const token = backend.asked[asked] ?? ""
        clients.push({ visitor, token, answer: step._tag === "open" ? step.answer : undefined })
        if (step._tag === "open") yield* backend.answer(token, answers[step.answer](step.requestId))
      } else if (step._tag === "answer" && client !== undefined && client.answer === undefined) {
        client.answer = step.answer
        yield* backend.answer(client.token, answers[step.answer](step.requestId))
      } else if (step._tag === "leave") client?.visitor.leave()
      else if (step._tag === "close") yield* send(to, true)
      else if (step._tag === "send") yield* send(to, false)
      else if (step._tag === "break") {
        client?.visitor.socket.breakWhen()
        yield* send(to, false)
      } else if (step._tag === "pause") client?.visitor.socket.pause()
      else if (step._tag === "revoke") {
        for (const connection of connections.list()) {
          if (connection.token === client?.token) connection.dismiss("revoked", 0)
        }
      } else if (step._tag === "a second") yield* TestClock.adjust("1 second")
      else if (step._tag === "send to all") yield* send({ _tag: "All" }, false)
      else if (step._tag === "close all") yield* send({ _tag: "All" }, true)
      else if (step._tag === "shutdown") {
        yield* Effect.fork(flow.drain)
        yield* connections.drain
      }
      yield* settled
      const shown = Exposition.read(text())
      const { connect, disconnect } = counts(shown)
      const openNow = clients.filter(isOpen).length
      assert.deepEqual(
        [connect - before.connect, connect - before.connect - (disconnect - before.disconnect)],
        [clients.filter(isAccepted).length, openNow],
        step._tag
      )
      const listed = openNow + (session.isClosed ? 0 : 1)
      assert.deepEqual([shown("sluice_connections"), connections.list().length], [listed, listed], step._tag)
    }
  })

for (const profile of [native, ssegateway]) {
  describe(`the counters of gateway streams (profile ${profile.name})`, () => {
    it.effect(
      "differ by those that are open, after every step of every history, and the gauge is the list (S145)",
      () =>
        Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30, size: "max" }), (steps) =>
              Effect.runPromise(
                Effect.provide(play(steps), Layer.provideMerge(layer({ profile }), TestContext.TestContext))
              )
            ),
            { numRuns: 60 }
          )
        )
    )
  })
}

describe("the time of sends", () => {
  it.effect("only grows, also when the clock is set back meanwhile: else Prometheus takes it for a new start", () =>
    Effect.sync(() => {
      const duration = Metric.tagged(Metrics.sendDuration, "service", "back")
      const sends = SendMetrics.make()
      for (const seconds of [2, -3600]) sends.count("back", 1, 0, seconds)
      const { count, sum } = duration.unsafeValue([])
      assert.deepEqual([count, sum], [2, 2])
    })
  )
})
