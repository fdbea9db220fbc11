import { Context, Effect, Layer, Stream, SubscriptionRef } from "effect"
import type { BackendEvent } from "../domain/BackendEvent.ts"
import { GatewayUnavailable, TokenNotFound } from "../domain/GatewayError.ts"
import type { SendRequest, Target } from "../domain/SendRequest.ts"
import { Gateway, type OpenConnection, type SendError, type Sent } from "../gateway/Gateway.ts"

/** One send or close that arrived, whatever became of it. `token` `null`: to all. */
export interface Call {
  readonly token: string | null
  readonly event: BackendEvent | undefined
  readonly close: boolean
  readonly service: string | undefined
}

/** What a call for a token meets: before it is heard, and instead of its success. */
export type Fate = Effect.Effect<void, SendError>

export const takes: Fate = Effect.void
export const hangs: Fate = Effect.never
/** The connection is gone. */
export const gone: Fate = Effect.suspend(() => new TokenNotFound())
export const unreachable: Fate = Effect.suspend(() => new GatewayUnavailable({ problem: "TestGateway" }))

/** The other side of the `Gateway` of the same layer: no network, no time. */
export class TestGateway extends Context.Tag("sluice/testing/TestGateway")<
  TestGateway,
  {
    /** From now on. Without one a call is taken. */
    readonly fate: (token: string, fate: Fate) => void
    /** What `GET /v1/connections` would say. */
    readonly isOpen: (open: ReadonlyArray<OpenConnection>) => void
    /** Every call so far, in the order of arrival. */
    readonly calls: () => ReadonlyArray<Call>
    /** The events that were taken for a token, or broadcast to all. */
    readonly events: (token: string) => ReadonlyArray<BackendEvent>
    /** Waits until the calls so far are as wanted. */
    readonly until: (isEnough: (calls: ReadonlyArray<Call>) => boolean) => Effect.Effect<void>
  }
>() {}

const make = Effect.gen(function* () {
  const count = yield* SubscriptionRef.make(0)
  const taken: Array<Call> = []
  const fates = new Map<string, Fate>()
  const heard: Array<Call> = []
  let open: ReadonlyArray<OpenConnection> = []

  const ok: Sent = { status: "ok" }

  const hear = (call: Call) =>
    Effect.suspend(() => {
      heard.push(call)
      return SubscriptionRef.set(count, heard.length)
    })

  const tokenOf = (to: Target): string | null => {
    switch (to._tag) {
      case "Token":
        return to.token
      case "RequestId":
        return open.find(({ requestId }) => requestId === to.requestId)?.token ?? ""
      case "All":
        return null
    }
  }

  const send = ({ close, event, service, to }: SendRequest) =>
    Effect.gen(function* () {
      const token = tokenOf(to)
      const call = { token, event, close, service }
      yield* hear(call)
      yield* fates.get(token ?? "") ?? takes
      taken.push(call)
      return ok
    })

  const gateway = Gateway.of({
    send,
    close: (to) => send({ to, event: undefined, close: true, service: undefined }),
    broadcast: (event, service) =>
      Effect.gen(function* () {
        const call = { token: null, event, close: false, service }
        yield* hear(call)
        taken.push(call)
        return open.length
      }),
    open: Effect.sync(() => open)
  })

  const control = TestGateway.of({
    fate: (token, fate) => {
      fates.set(token, fate)
    },
    isOpen: (now) => {
      open = now
    },
    calls: () => heard,
    events: (token) =>
      taken.flatMap((call) =>
        call.event !== undefined && (call.token === token || call.token === null) ? [call.event] : []
      ),
    until: (isEnough) => Stream.runDrain(Stream.takeUntil(count.changes, () => isEnough(heard)))
  })
  return Context.make(Gateway, gateway).pipe(Context.add(TestGateway, control))
})

/** Takes whatever it is sent, and keeps it, without bound. */
export const layer: Layer.Layer<Gateway | TestGateway> = Layer.effectContext(make)
