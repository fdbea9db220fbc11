import * as assert from "node:assert/strict"
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Fiber, Layer, Queue, Random, Stream } from "effect"
import type { Delivery } from "../../../src/client/effect/Delivery.ts"
import * as SluiceClient from "../../../src/client/effect/SluiceClient.ts"
import type * as Watching from "../../../src/client/effect/Watching.ts"
import { SessionId } from "../../../src/domain/Session.ts"
import * as ControlFrame from "../../../src/protocol/ControlFrame.ts"

export const session = SessionId.make("s")
export const url = "http://server.test"

export const hello = (cursor: string, heartbeat = 15, retry = 2000) =>
  ControlFrame.hello({
    token: "t",
    heartbeat,
    retry,
    session: "s",
    epoch: "e",
    cursor,
    oldest: 1,
    head: 9,
    mode: "started"
  })

/** A stream that has said `text` and stays open. */
export const open = (text: string) =>
  new Response(
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) })
  )

/** A stream that says what a test tells it to; `asks` has an element for each time that its reader wants more. */
export const driven = Effect.map(Queue.unbounded<(text: string) => void>(), (asks) => ({
  response: () =>
    new Response(
      new ReadableStream<Uint8Array>(
        {
          // A pull that says nothing is not repeated before something was said.
          pull: (controller) => {
            asks.unsafeOffer((text) => controller.enqueue(new TextEncoder().encode(text)))
          }
        },
        { highWaterMark: 0 }
      )
    ),
  asks
}))

/** `undefined`: the connection breaks. */
export type Answer = () => Response | undefined

/** Answers requests in order, then 204; what was asked is kept. */
const script = (answers: ReadonlyArray<Answer>) => {
  const asked: Array<HttpClientRequest.HttpClientRequest> = []
  const gone: Answer = () => new Response(null, { status: 204 })
  const client = HttpClient.make((request) => {
    const response = (answers[asked.length] ?? gone)()
    asked.push(request)
    return response === undefined
      ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause: new Error("cut off") }))
      : Effect.succeed(HttpClientResponse.fromWeb(request, response))
  })
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

/** A client whose server answers so; jittered waits are `jitter` of their bound, in [0, 1). */
export const client = (answers: ReadonlyArray<Answer>, options: Partial<SluiceClient.Options> = {}) => {
  const { asked, layer } = script(answers)
  return Effect.map(Effect.provide(SluiceClient.make({ url, ...options }), layer), (sluice) => ({ asked, sluice }))
}

/** The upper end of each jittered wait. */
export const latest = Random.fixed([0.999_999_9])
/** The lower end. */
export const soonest = Random.fixed([0])

/** What a watcher gets, one by one, as far as a test looks. */
export const watched = (
  answers: ReadonlyArray<Answer>,
  options: Watching.Options & {
    readonly sessions?: readonly [SessionId, SessionId]
    readonly random?: Random.Random
  } = {}
) =>
  Effect.gen(function* () {
    const { asked, sluice } = yield* client(answers)
    const queue = yield* Queue.unbounded<Delivery>()
    const { random = latest, sessions = session, ...rest } = options
    const fiber = yield* sluice.watch(sessions, rest).pipe(
      Stream.runForEach((delivery) => Queue.offer(queue, delivery)),
      Effect.withRandom(random),
      Effect.fork
    )
    /** All up to the next delivery with this tag. */
    const until = (tag: Delivery["_tag"]) =>
      Effect.gen(function* () {
        const all: Array<Delivery> = []
        do all.push(yield* Queue.take(queue))
        while (all[all.length - 1]?._tag !== tag)
        return all
      })
    const offline = Effect.map(until("Offline"), (all) => {
      const last = all[all.length - 1]
      return last?._tag === "Offline" ? last : assert.fail()
    })
    return { asked, until, offline, done: Fiber.join(fiber) }
  })
