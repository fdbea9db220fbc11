import { assert, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Layer, Schedule, Stream, TestClock } from "effect"
import { Session } from "../../../../src/index.ts"
import { type Delivery, SluiceClient } from "../../../../src/client/effect/index.ts"

const chat = Session.SessionId.make("chat")

/** Whether there is a connection, told when that has been so for 3 seconds. */
const isOnline = Stream.unwrap(Effect.map(SluiceClient.SluiceClient, (sluice) => sluice.watch(chat))).pipe(
  Stream.filter(({ _tag }) => _tag === "Offline" || _tag === "Live"),
  Stream.map(({ _tag }) => _tag === "Live"),
  Stream.debounce("3 seconds")
)

const deliveries: ReadonlyArray<Delivery> = [
  { _tag: "Offline", why: "cut off", millis: 2000 },
  { _tag: "Live", session: chat, cursor: undefined }
]

it.effect("does not flicker when the stream is back in 2 seconds", () =>
  Effect.gen(function* () {
    const told = yield* Effect.fork(Stream.runCollect(isOnline))
    yield* TestClock.adjust("1 minute")
    assert.deepEqual(Chunk.toReadonlyArray(yield* Fiber.join(told)), [true])
  }).pipe(
    Effect.provide(
      Layer.mock(SluiceClient.SluiceClient, {
        watch: () => Stream.schedule(Stream.fromIterable(deliveries), Schedule.spaced("2 seconds"))
      })
    )
  )
)
