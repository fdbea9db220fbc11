import * as assert from "node:assert/strict"
import type { HttpClientRequest } from "@effect/platform"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule, TestClock } from "effect"
import { Refused } from "../../../src/client/effect/Exchange.ts"
import { SessionId } from "../../../src/domain/Session.ts"
import * as Scripted from "./Scripted.ts"

const { hello, open, receipt, session, stale, watched } = Scripted
const message = { id: "m", data: 1 }
const greeted = (token: string) => () => open(hello("e.9", 15, 0, token))
const accepted = () => receipt("m")

/** The tokens of the posts, in order; GET for a stream that was asked for. */
const tokens = (asked: ReadonlyArray<HttpClientRequest.HttpClientRequest>) =>
  asked.map((request): unknown => (request.method === "GET" ? "GET" : JSON.parse(Scripted.bodyOf(request)).token))

const retries = Schedule.spaced("1 second")

describe("a message, an interrupt and a stop", () => {
  it.effect("name the connection that watches their session, and that alone, as long as it is there", () =>
    Effect.gen(function* () {
      const { asked, fiber, sluice, until } = yield* watched([
        greeted("t1"),
        ...Array.from({ length: 5 }, () => accepted)
      ])
      yield* until("Connected")
      yield* sluice.send(session, message)
      yield* sluice.interrupt(session)
      yield* sluice.stop(session, message)
      yield* sluice.send(SessionId.make("other"), message)
      yield* Fiber.interrupt(fiber)
      yield* sluice.send(session, message)
      assert.deepEqual(tokens(asked), ["GET", "t1", "t1", "t1", undefined, undefined])
    })
  )

  it.effect("name none while the stream is away", () =>
    Effect.gen(function* () {
      const { asked, sluice, until } = yield* watched([() => Scripted.ended(hello("e.9")), accepted])
      yield* until("Offline")
      yield* sluice.send(session, message)
      assert.deepEqual(tokens(asked), ["GET", undefined])
    })
  )
})

describe("a message of a connection that the server does not know any more (S115)", () => {
  it.effect("goes with the next one, and with the same id", () =>
    Effect.gen(function* () {
      const { asked, offline, sluice, until } = yield* watched([greeted("t1"), stale, greeted("t2"), accepted], {
        client: { retries }
      })
      yield* until("Connected")
      const sending = yield* Effect.fork(sluice.send(session, message))
      const { millis, why } = yield* offline
      assert.deepEqual([millis, why], [499, "the server does not know the connection any more"])
      yield* TestClock.adjust(499)
      yield* until("Connected")
      yield* TestClock.adjust(501) // the policy's wait
      assert.equal((yield* Fiber.join(sending)).id, "m")
      assert.deepEqual(tokens(asked), ["GET", "t1", "GET", "t2"])
    })
  )

  it.effect("is not posted before the next one is there, and then at once", () =>
    Effect.gen(function* () {
      const reconnect = Schedule.spaced("5500 millis")
      const { asked, sluice, until } = yield* watched([greeted("t1"), stale, greeted("t2"), accepted], {
        client: { retries, reconnect }
      })
      yield* until("Connected")
      const sending = yield* Effect.fork(sluice.send(session, message))
      yield* TestClock.adjust(5499)
      assert.equal(asked.length, 2)
      yield* TestClock.adjust(1)
      yield* Fiber.join(sending)
      assert.deepEqual(tokens(asked), ["GET", "t1", "GET", "t2"])
    })
  )

  it.effect("goes without one when nothing is watched any more", () =>
    Effect.gen(function* () {
      const { asked, fiber, offline, sluice, until } = yield* watched([greeted("t1"), stale, accepted], {
        client: { retries }
      })
      yield* until("Connected")
      const sending = yield* Effect.fork(sluice.send(session, message))
      yield* offline
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(sending)
      assert.deepEqual(tokens(asked), ["GET", "t1", undefined])
    })
  )

  it.effect("but an interrupt is refused then, not asked again (S119)", () =>
    Effect.gen(function* () {
      const { asked, offline, sluice, until } = yield* watched([greeted("t1"), stale])
      yield* until("Connected")
      const error = yield* Effect.flip(sluice.interrupt(session))
      assert.ok(error instanceof Refused && error.code === "CONNECTION_NOT_FOUND")
      yield* offline
      assert.deepEqual(tokens(asked), ["GET", "t1"])
    })
  )
})
