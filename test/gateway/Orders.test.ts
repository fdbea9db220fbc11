import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc } from "effect"
import { BackendRefused, BackendTimeout, BackendUnavailable, type CallbackError } from "../../src/callback/Callbacks.ts"
import { ConnectionRegistry } from "../../src/connection/ConnectionRegistry.ts"
import type { ConnectAnswer } from "../../src/domain/ConnectAnswer.ts"
import { ConnectFlow } from "../../src/gateway/ConnectFlow.ts"
import { Gateway } from "../../src/gateway/Gateway.ts"
import { GatewayConnections } from "../../src/gateway/GatewayConnections.ts"
import { native } from "../../src/gateway/Profile.ts"
import { ssegateway } from "../../src/gateway/SsegatewayProfile.ts"
import { ConnectionJournal } from "../../src/store/ConnectionJournal.ts"
import { DisconnectOutbox } from "../../src/callback/DisconnectOutbox.ts"
import { layer, ScriptedBackend, TestVisitor, yes } from "./GatewayRooms.ts"

type Answer = "yes" | "no" | "timeout" | "reset" | "unreachable"
type Step = "leave" | "answer" | "send" | "close" | "send and close" | "turn"

const answers: Readonly<Record<Answer, Effect.Effect<ConnectAnswer, CallbackError>>> = {
  yes: Effect.succeed(yes),
  no: Effect.fail(new BackendRefused({ status: 401, reason: "" })),
  timeout: Effect.fail(new BackendTimeout()),
  reset: Effect.fail(new BackendUnavailable({ mayHaveAccepted: true, problem: "reset" })),
  unreachable: Effect.fail(new BackendUnavailable({ mayHaveAccepted: false, problem: "refused" }))
}

const story = fc.record({
  answer: fc.constantFrom<Answer>("yes", "yes", "yes", "no", "timeout", "reset", "unreachable"),
  steps: fc.array(fc.constantFrom<Step>("leave", "answer", "send", "close", "send and close", "turn"), {
    minLength: 1,
    maxLength: 10
  })
})

/** The loop of events turns once: what was recorded meanwhile is in the journal. */
const turn = Effect.async<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

const settle = Effect.gen(function* () {
  const flow = yield* ConnectFlow
  const gateway = yield* GatewayConnections
  const connections = yield* ConnectionRegistry
  const outbox = yield* DisconnectOutbox
  yield* flow.drain
  yield* connections.drain
  yield* gateway.settled
  yield* outbox.drain
})

for (const profile of [native, ssegateway]) {
  describe(`every order of leave, answer, close and send (profile ${profile.name})`, () => {
    it.effect("ends an accepted connect with one disconnect, a refused one with none, and leaves no entry (S36)", () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(story, ({ answer, steps }) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const backend = yield* ScriptedBackend
                const flow = yield* ConnectFlow
                const gateway = yield* Gateway
                const journal = yield* ConnectionJournal
                const visitor = new TestVisitor()
                flow.connect(visitor, '{"url":"/sse/x","headers":{}}')
                while (backend.asked.length === 0) yield* turn
                const [token = ""] = backend.asked

                let hasLeft = false
                let hasLeftUnanswered = false
                let isAnswered = false
                let isClosed = false
                const taken: Array<string> = []
                let sent = 0
                const say = (event: boolean, close: boolean) =>
                  Effect.gen(function* () {
                    const data = `${++sent}`
                    const result = yield* Effect.either(
                      gateway.send({
                        to: { _tag: "Token", token },
                        event: event ? { name: undefined, data } : undefined,
                        close,
                        service: undefined
                      })
                    )
                    if (Either.isLeft(result)) return
                    if (event) taken.push(data)
                    if (close) isClosed = true
                  })
                for (const step of [...steps, "turn", "answer", "turn"] as const) {
                  if (step === "turn") yield* turn
                  else if (step === "leave" && !hasLeft) {
                    hasLeft = true
                    hasLeftUnanswered = visitor.accepts === 0
                    visitor.leave()
                  } else if (step === "answer" && !isAnswered) {
                    isAnswered = true
                    yield* backend.answer(token, answers[answer])
                  } else if (step === "send") yield* say(true, false)
                  else if (step === "close") yield* say(false, true)
                  else if (step === "send and close") yield* say(true, true)
                }
                yield* settle

                const reasons = backend.disconnects.map(({ reason }) => reason)
                const isUnsure = answer === "timeout" || answer === "reset"
                if (answer === "yes" && !(profile.name === "ssegateway" && hasLeftUnanswered)) {
                  assert.equal(reasons.length, 1)
                  assert.equal(reasons[0] === "server_closed" && !isClosed, false)
                  assert.equal(reasons[0] === "client_closed" && !hasLeft, false)
                  if (hasLeftUnanswered) assert.deepEqual(reasons, ["client_closed"])
                  else if (!hasLeft) assert.deepEqual(reasons, [isClosed ? "server_closed" : "shutdown"])
                } else {
                  assert.deepEqual(reasons, isUnsure && profile.owesUnopened ? ["error"] : [])
                }
                const isOpened = answer === "yes" && !hasLeftUnanswered
                if (isOpened && !hasLeft) {
                  assert.deepEqual(
                    visitor.socket.messages.filter(({ data }) => data !== "").map(({ data }) => data),
                    taken
                  )
                }
                assert.equal(visitor.accepts + (visitor.refused === undefined ? 0 : 1) <= 1, true)
                const connections = yield* GatewayConnections
                assert.deepEqual([connections.all(), connections.arriving()], [[], 0])
                assert.equal((yield* ConnectionRegistry).size(), 0)
                assert.deepEqual([yield* journal.owed(10), yield* journal.orphan(0)], [[], false])
                assert.deepEqual(yield* journal.owed(10), [])
              }).pipe(Effect.provide(layer({ profile })))
            )
          ),
          { numRuns: 300 }
        )
      )
    )
  })
}
