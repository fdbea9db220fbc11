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

export const hello = (cursor: string, heartbeat = 15, retry = 2000, token = "t") =>
  ControlFrame.hello({
    token,
    heartbeat,
    retry,
    session: "s",
    epoch: "e",
    cursor,
    oldest: 1,
    head: 9,
    mode: "started"
  })

const type = { headers: { "content-type": "text/event-stream" } }

/** A stream that has said `text` and stays open. */
export const open = (text: string) =>
  new Response(
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) }),
    type
  )

/** One that ends then. */
export const ended = (text: string) => new Response(text, type)

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
      ),
      type
    ),
  asks
}))

/** `undefined`: the connection breaks. */
export type Answer = () => Response | undefined

type Request = HttpClientRequest.HttpClientRequest

/** What a `serve` answers with. */
const layer = (serve: (request: Request) => Effect.Effect<Response | undefined>) =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.flatMap(serve(request), (response) =>
        response === undefined
          ? Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause: new Error("cut off") }))
          : Effect.succeed(HttpClientResponse.fromWeb(request, response))
      )
    )
  )

/** A client of such a server. */
export const serving = (
  serve: (request: Request) => Effect.Effect<Response | undefined>,
  options: Partial<SluiceClient.Options> = {}
) => Effect.provide(SluiceClient.make({ url, ...options }), layer(serve))

/** A client whose requests are answered in order, then with 204; what was asked is kept. */
export const client = (answers: ReadonlyArray<Answer>, options: Partial<SluiceClient.Options> = {}) => {
  const asked: Array<Request> = []
  const gone: Answer = () => new Response(null, { status: 204 })
  const serve = (request: Request) => Effect.sync(() => (answers[asked.push(request) - 1] ?? gone)())
  return Effect.map(serving(serve, options), (sluice) => ({ asked, sluice }))
}

/** The text of a request's body. */
export const bodyOf = ({ body }: Request): string =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : assert.fail(body._tag)

/** What the server says of a message that it took. */
export const receipt = (id: string, seq = 1) => Response.json({ id, session, seq, accepted: true }, { status: 202 })

/** Its answer to a token that it does not know any more. */
export const stale = () =>
  Response.json(
    { error: { code: "CONNECTION_NOT_FOUND", message: "no open connection has this token" } },
    { status: 404 }
  )

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
    readonly client?: Partial<SluiceClient.Options>
  } = {}
) =>
  Effect.gen(function* () {
    const { client: ofClient, random = latest, sessions = session, ...rest } = options
    const { asked, sluice } = yield* client(answers, ofClient)
    const queue = yield* Queue.unbounded<Delivery>()
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
    return { asked, sluice, until, offline, fiber, done: Fiber.join(fiber) }
  })
