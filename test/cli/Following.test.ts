import * as assert from "node:assert/strict"
import { HttpClient, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Random, Stream, TestClock } from "effect"
import type { Delivery } from "../../src/cli/Delivery.ts"
import * as Following from "../../src/cli/Following.ts"
import { SessionId } from "../../src/domain/Session.ts"
import * as ControlFrame from "../../src/protocol/ControlFrame.ts"
import * as Frame from "../../src/protocol/Frame.ts"

const session = SessionId.make("s")
const remote = { url: "http://server.test", key: undefined }

const hello = (cursor: string, heartbeat = 15, retry = 2000) =>
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
const open = (text: string) =>
  new Response(
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) })
  )

/** Answers requests in order; what was asked is kept. */
const script = (answers: ReadonlyArray<() => Response>) => {
  const asked: Array<HttpClientRequest.HttpClientRequest> = []
  const client = HttpClient.make((request) => {
    const answer = answers[asked.length]
    asked.push(request)
    return Effect.succeed(
      HttpClientResponse.fromWeb(request, (answer ?? (() => new Response(null, { status: 204 })))())
    )
  })
  return { asked, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

/** What the follower delivers, one by one, as far as a test looks. */
const followed = (answers: ReadonlyArray<() => Response>, options: Partial<Following.Options> = {}) =>
  Effect.gen(function* () {
    const { asked, layer } = script(answers)
    const queue = yield* Queue.unbounded<Delivery>()
    const fiber = yield* Following.stream({ remote, session, from: "head", fillsGaps: true, ...options }).pipe(
      Stream.runForEach((delivery) => Queue.offer(queue, delivery)),
      Effect.provide(layer),
      // The upper end of each jittered wait.
      Effect.withRandom(Random.fixed([0.999_999_9])),
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
    return { asked, until, fiber }
  })

describe("Following", () => {
  it.effect("takes 2.5 heartbeats of silence for the end of a connection, to the millisecond (S158)", () =>
    Effect.gen(function* () {
      const { asked, until } = yield* followed([
        () => open(hello("e.9", 15, 0) + ControlFrame.live({ session: "s", cursor: "e.9" }))
      ])
      yield* until("Live")
      yield* TestClock.adjust(37_499)
      assert.equal(asked.length, 1)
      yield* TestClock.adjust(1)
      const [offline] = yield* until("Offline")
      assert.deepEqual(offline, { _tag: "Offline", why: "silent for 37.5 s", millis: 499 })
      yield* TestClock.adjust(498)
      assert.equal(asked.length, 1)
      yield* TestClock.adjust(1)
      yield* until("End")
      assert.equal(asked[1]?.headers["last-event-id"], "e.9")
    })
  )

  it.effect("comes back not before the server asked it to, and ever later while the server does not answer", () =>
    Effect.gen(function* () {
      const down = () => new Response("", { status: 503, headers: { "retry-after": "3" } })
      const bye = ControlFrame.bye({ reason: "shutdown", retry: 5000 })
      const { until } = yield* followed([() => new Response(hello("e.9") + bye), down, down])
      const first = yield* until("Offline")
      assert.deepEqual(first[first.length - 1], {
        _tag: "Offline",
        why: "the server said goodbye (shutdown)",
        millis: 5499
      })
      yield* TestClock.adjust(5499)
      assert.deepEqual(yield* until("Offline"), [{ _tag: "Offline", why: "status 503", millis: 5999 }])
      yield* TestClock.adjust(5999)
      assert.deepEqual(yield* until("Offline"), [{ _tag: "Offline", why: "status 503", millis: 6999 }])
    })
  )

  it.effect("asks for history again until it has the page, before it goes on", () =>
    Effect.gen(function* () {
      const gap = ControlFrame.gap(
        { session: "s", after: 0, next: 3, missed: 2, oldest: 1, head: 3, reason: "cap" },
        "e.2"
      )
      const event = (seq: number) => ({ seq, name: "message", data: `${seq}`, at: "" })
      const page = () => Response.json({ session: "s", epoch: "e", oldest: 1, head: 3, events: [event(1), event(2)] })
      const { asked, until } = yield* followed(
        [
          () => open(hello("e.2") + gap + Frame.event("e", 3, "message", "3")),
          () => new Response("", { status: 500 }),
          page
        ],
        { from: "start" }
      )
      yield* until("Offline")
      yield* TestClock.adjust(499)
      const told = [...(yield* until("Events")), ...(yield* until("Events"))]
      assert.deepEqual(
        told.flatMap((delivery) =>
          delivery._tag === "Events" ? delivery.events.map(({ data }) => data) : [delivery._tag]
        ),
        ["1", "2", "3"]
      )
      assert.deepEqual(
        asked.map(({ url }) => url.replace(remote.url, "")),
        ["/v1/sessions/s/stream", "/v1/sessions/s/events", "/v1/sessions/s/events"]
      )
    })
  )

  it.effect("gives up where the server has had its last word", () =>
    Effect.gen(function* () {
      const body = { error: { code: "UNAUTHORIZED", message: "a valid API key is needed" } }
      const { fiber } = yield* followed([() => Response.json(body, { status: 401 })])
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.deepEqual([error.status, error.text], [401, "401 UNAUTHORIZED: a valid API key is needed"])
    })
  )
})
