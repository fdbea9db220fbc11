import * as assert from "node:assert/strict"
import { Context, Effect, Fiber, Layer, Redacted, type Scope } from "effect"
import type { BackendEvent } from "../../domain/BackendEvent.ts"
import { Gateway } from "../../gateway/Gateway.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as EventLoop from "../../store/EventLoop.ts"
import * as StreamClient from "../StreamClient.ts"
import * as TestBackend from "../TestBackend.ts"

/** A client with an open stream. It leaves with its scope, which closes when the server has seen that. */
export interface OpenClient {
  readonly token: string
  /** What came so far, as soon as that is `count` events or more. Control frames are left out. */
  readonly take: (count: number) => Effect.Effect<ReadonlyArray<BackendEvent>>
  /** The same as it stands on the wire. */
  readonly text: () => string
  /** All that came, once the server has ended the stream: properly, not cut off. */
  readonly ended: Effect.Effect<ReadonlyArray<BackendEvent>>
  /** From now on it takes no byte, until `resume`. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

/** One that the backend has heard of. */
export interface AcceptedClient extends OpenClient {
  /** Done when the backend has heard of its end. */
  readonly leave: Effect.Effect<void>
  /** The reason of its end, as soon as the backend has heard of it. */
  readonly reason: Effect.Effect<string>
}

/** One whose connect callback is running. Its scope lets it be accepted. */
export interface WaitingClient {
  readonly token: string
  /** The backend says yes. */
  readonly accept: Effect.Effect<AcceptedClient>
}

/** Those whom a gateway serves: clients, and the backend behind it. */
export class GatewayClients extends Context.Tag("sluice/testing/GatewayClients")<
  GatewayClients,
  {
    /** Accepted by the backend, with this request id or with none. */
    readonly open: (requestId?: string) => Effect.Effect<AcceptedClient, never, Scope.Scope>
    readonly wait: (requestId?: string) => Effect.Effect<WaitingClient, never, Scope.Scope>
    /** A stream of a session, from its start, live now: the backend has no part in it. */
    readonly watch: (session: string) => Effect.Effect<OpenClient, never, Scope.Scope>
    /** Until the scope closes the backend hears of ends, and does not answer. */
    readonly silence: Effect.Effect<void, never, Scope.Scope>
  }
>() {}

export interface Options {
  /** The server's. */
  readonly url: string
  readonly key?: Redacted.Redacted
  /** That of the server, for these clients alone. */
  readonly backend: TestBackend.TestBackend
}

interface Plan {
  readonly reply: TestBackend.Reply
  readonly isAsked: Effect.Latch
  readonly mayAnswer: Effect.Latch
  token: string
}

const isEvent = ({ name }: StreamClient.StreamEvent): boolean => !name.startsWith("sluice.")
const given = ({ data, name }: StreamClient.StreamEvent): BackendEvent => ({
  name: name === "message" ? undefined : name,
  data
})

const openClient = (token: string, client: StreamClient.StreamClient): OpenClient => {
  const events = () => client.events().filter(isEvent).map(given)
  return {
    token,
    take: (count) =>
      Effect.orDie(
        Effect.map(
          client.until(() => events().length >= count),
          events
        )
      ),
    text: client.text,
    ended: Effect.map(client.ended, ({ isComplete }) => {
      assert.ok(isComplete, "the stream was cut off")
      return events()
    }),
    pause: client.pause,
    resume: client.resume
  }
}

export const make = ({ backend, key, url }: Options) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const plans = new Map<string, Plan>()

    backend.onConnect(({ request, token }) =>
      Effect.gen(function* () {
        const plan = plans.get(request.url)
        if (plan === undefined) return TestBackend.accept
        plan.token = token
        yield* plan.isAsked.open
        yield* plan.mayAnswer.await
        return plan.reply
      })
    )

    const wait = (requestId?: string) =>
      Effect.gen(function* () {
        const target = `/sse/client-${plans.size + 1}`
        const reply = requestId === undefined ? TestBackend.accept : TestBackend.acceptWith({ request_id: requestId })
        const plan: Plan = { reply, isAsked: Effect.unsafeMakeLatch(), mayAnswer: Effect.unsafeMakeLatch(), token: "" }
        plans.set(target, plan)
        const opening = yield* Effect.forkScoped(Effect.orDie(StreamClient.open(`${url}${target}`)))
        yield* plan.isAsked.await
        const { token } = plan
        const answered = Effect.zipRight(plan.mayAnswer.open, Fiber.join(opening))
        const told = backend.disconnects(1, token)
        const leave = answered.pipe(
          Effect.flatMap((client) => client.abort),
          Effect.zipRight(told),
          Effect.asVoid
        )
        yield* Effect.addFinalizer(() => leave)
        const accept = Effect.map(answered, (client): AcceptedClient => {
          assert.equal(client.status, 200)
          const reason = Effect.map(told, ([call]) => call?.reason ?? "")
          return { ...openClient(token, client), leave, reason }
        })
        return { token, accept }
      })

    const watch = (session: string) =>
      Effect.gen(function* () {
        const headers = key === undefined ? {} : { Authorization: `Bearer ${Redacted.value(key)}` }
        const client = yield* StreamClient.open(`${url}${Paths.stream(session)}?from=start`, { headers })
        yield* client.named("sluice.live")
        const hello: unknown = JSON.parse((yield* client.named("sluice.hello")).data)
        assert.ok(typeof hello === "object" && hello !== null && "token" in hello && typeof hello.token === "string")
        const { token } = hello
        // Nobody tells of its end: it is looked for.
        const isGone = Effect.map(Effect.zipRight(EventLoop.turn, gateway.open), (open) =>
          open.every((connection) => connection.token !== token)
        )
        yield* Effect.addFinalizer(() =>
          Effect.orDie(Effect.zipRight(client.abort, Effect.repeat(isGone, { until: (gone) => gone })))
        )
        return openClient(token, client)
      }).pipe(Effect.orDie)

    return GatewayClients.of({
      open: (requestId) => Effect.flatMap(wait(requestId), ({ accept }) => accept),
      wait,
      watch,
      silence: Effect.gen(function* () {
        const mayAnswer = yield* Effect.makeLatch()
        backend.onDisconnect(() => Effect.as(mayAnswer.await, TestBackend.accept))
        yield* Effect.addFinalizer(() => {
          backend.onDisconnect(TestBackend.always(TestBackend.accept))
          return mayAnswer.open
        })
      })
    })
  })

/** Over a server that is there already. */
export const layer = (options: Options): Layer.Layer<GatewayClients, never, Gateway> =>
  Layer.effect(GatewayClients, make(options))
