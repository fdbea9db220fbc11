import * as assert from "node:assert/strict"
import { Effect, type Scope } from "effect"
import type { SendRequest, Target } from "../../domain/SendRequest.ts"
import { Gateway, type SendError } from "../../gateway/Gateway.ts"
import { GatewayClients } from "./GatewayClients.ts"

type Port = typeof Gateway.Service
type Clients = typeof GatewayClients.Service

/** One thing that every gateway does. `holds` begins with no open stream, leaves none, and dies when it does otherwise. */
export interface Rule {
  readonly says: string
  readonly holds: Effect.Effect<void, SendError, Gateway | GatewayClients>
}

export const rule = (
  says: string,
  holds: (gateway: Port, clients: Clients) => Effect.Effect<void, SendError, Scope.Scope>
): Rule => ({
  says,
  holds: Effect.gen(function* () {
    yield* holds(yield* Gateway, yield* GatewayClients)
  }).pipe(Effect.scoped)
})

export const token = (token: string): Target => ({ _tag: "Token", token })
export const requestId = (requestId: string): Target => ({ _tag: "RequestId", requestId })
export const all: Target = { _tag: "All" }

/** Names that no gateway sends, and nobody may forge a frame with. */
export const badNames: ReadonlyArray<string> = ["a\nb", "\r", "\u0000", "\u001f", "sluice.hello", "x".repeat(257)]

/** An unnamed event. */
export const event = (data: string) => ({ name: undefined, data })
export const events = (...data: ReadonlyArray<string>) => data.map(event)

export const say = (to: Target, data: string, close = false): SendRequest => ({
  to,
  event: event(data),
  close,
  service: undefined
})

/** Asks whether somebody is there. */
export const ask = (to: Target): SendRequest => ({ to, event: undefined, close: false, service: undefined })

/** What is asked for must fail, with this. */
export const fails = <E extends { readonly _tag: string }>(asked: Effect.Effect<unknown, E>, tag: E["_tag"]) =>
  Effect.map(Effect.either(asked), (answer) => {
    assert.equal(answer._tag === "Left" ? answer.left._tag : "success", tag)
  })

/** By a send, by one that only asks, and by a close. */
export const isGone = (gateway: Port, to: Target) =>
  Effect.forEach([gateway.send(say(to, "lost")), gateway.send(ask(to)), gateway.close(to)], (asked) =>
    fails(asked, "TokenNotFound")
  )

/** Sends 0, 1, 2 … of this length until one is refused for want of room. How many were taken. */
export const fill = (gateway: Port, to: Target, length = 1): Effect.Effect<number, SendError> => {
  const from = (count: number): Effect.Effect<number, SendError> =>
    Effect.matchEffect(gateway.send(say(to, `${count}`.padEnd(length))), {
      onSuccess: () => (count > 1000 ? Effect.dieMessage("it takes all without end") : from(count + 1)),
      onFailure: (error) => (error._tag === "Overloaded" ? Effect.succeed(count) : Effect.fail(error))
    })
  return from(0)
}
