import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Clock, Context, Duration, Effect, Fiber, Layer, Queue, Stream } from "effect"
import type { Delivery } from "../../../src/client/effect/Delivery.ts"
import * as Retrying from "../../../src/client/effect/Retrying.ts"
import * as SluiceClient from "../../../src/client/effect/SluiceClient.ts"
import type * as Watching from "../../../src/client/effect/Watching.ts"
import type { SessionId } from "../../../src/domain/Session.ts"

/** Shorter than what `impatient` takes for a limit. */
const reconnect = Retrying.backoff("5 seconds")

/** A client until the scope closes. */
export const connect = (url: string, options: Partial<SluiceClient.Options> = {}) =>
  Effect.map(
    Layer.build(Layer.provide(SluiceClient.layer({ url: `${url}/`, reconnect, ...options }), NodeHttpClient.layer)),
    (context) => Context.get(context, SluiceClient.SluiceClient)
  )

type Client = typeof SluiceClient.SluiceClient.Service

/** The real clock, but that what is shorter than any limit of an answer, a wait between tries, takes 10 ms. */
const impatient = (() => {
  const real = Clock.make()
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis(),
    currentTimeMillis: real.currentTimeMillis,
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
    currentTimeNanos: real.currentTimeNanos,
    sleep: (duration) =>
      Duration.lessThan(duration, "15 seconds") ? real.sleep(Duration.millis(10)) : real.sleep(duration)
  }
  return clock
})()

/** What a watcher gets, one by one, as far as a test looks. */
export const watched = (client: Client, sessions: Parameters<Client["watch"]>[0], options: Watching.Options = {}) =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<Delivery>()
    const fiber = yield* client.watch(sessions, options).pipe(
      Stream.runForEach((delivery) => Queue.offer(queue, delivery)),
      Effect.withClock(impatient),
      Effect.forkScoped
    )
    const all: Array<Delivery> = []
    const take = Effect.tap(Queue.take(queue), (delivery) => Effect.sync(() => all.push(delivery)))
    /** Takes what comes until it is such a one. */
    const until = (isSuch: (delivery: Delivery) => boolean) => Effect.repeat(take, { until: isSuch })
    /** Until so many events of a session came. */
    const events = (session: SessionId, count: number) =>
      Effect.gen(function* () {
        while (dataOf(all, session).length < count) yield* take
      })
    return { all, until, events, done: Fiber.join(fiber) }
  })

/** The data of a session's events, in order. */
export const dataOf = (all: ReadonlyArray<Delivery>, session: SessionId) =>
  all.flatMap((delivery) =>
    delivery._tag === "Events" && delivery.session === session ? delivery.events.map(({ data }) => data) : []
  )
