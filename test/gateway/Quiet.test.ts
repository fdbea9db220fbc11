import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { type Clock, Duration, Effect, Layer, Option, TestClock } from "effect"
import { SessionId } from "../../src/domain/Session.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { EventStore } from "../../src/store/EventStore.ts"
import { numbers } from "../session/SessionRooms.ts"
import { settled } from "../store/StoreWriterTurn.ts"
import { layer } from "./GatewayRooms.ts"

const sessions = Array.from({ length: 20 }, (_, index) => SessionId.make(`s${index}`))
const key = (session: SessionId) => ({ key: session, digest: "d" })

/** The same rooms, and how often something in them has begun to sleep. */
const counted = Effect.gen(function* () {
  const clock = yield* Effect.clock
  let sleeps = 0
  const counting: Clock.Clock = {
    ...clock,
    unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis(),
    unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
    currentTimeMillis: clock.currentTimeMillis,
    currentTimeNanos: clock.currentTimeNanos,
    sleep: (duration) =>
      Effect.suspend(() => {
        sleeps += 1
        return clock.sleep(duration)
      })
  }
  const rooms = yield* Effect.withClock(Layer.build(layer()), counting)
  return {
    rooms,
    since: () => {
      const before = sleeps
      sleeps = 0
      return before
    }
  }
})

describe("a server where nothing is to do", () => {
  it.scoped(
    "sleeps: a day costs it a look at its receipts and at dead letters each hour, and no tick of a second",
    () =>
      Effect.gen(function* () {
        const { rooms, since } = yield* counted
        yield* Effect.gen(function* () {
          const registry = yield* SessionRegistry
          const store = yield* EventStore
          for (const session of sessions)
            yield* registry.append(session, { events: numbers(1, 5), receipt: key(session) })
          yield* TestClock.adjust("3 minutes")
          assert.equal(registry.size(), 0)
          since()
          yield* TestClock.adjust("23 hours")
          const slept = since()
          assert.ok(slept <= 48, `${slept} wake-ups`)

          // The receipts answer for a day, to the second, and are gone soon after.
          yield* TestClock.adjust(Duration.minutes(57))
          yield* settled
          assert.ok(Option.isSome(yield* store.receipt(SessionId.make("s0"), "s0")))
          yield* TestClock.adjust("1 seconds")
          for (let turn = 0; turn < 10; turn++) yield* settled
          assert.ok(Option.isNone(yield* store.receipt(SessionId.make("s0"), "s0")))
          since()
          yield* TestClock.adjust("24 hours")
          assert.ok(since() <= 24, "dead letters alone are looked through")
        }).pipe(Effect.provide(rooms))
      })
  )
})
