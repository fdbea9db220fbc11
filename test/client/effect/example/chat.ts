import { Console, Effect, Fiber, Stream } from "effect"
import { Session } from "../../../../src/index.ts"
import { type Delivery, type Gap, SluiceClient } from "../../../../src/client/effect/index.ts"

const chat = Session.SessionId.make("chat")

/** What a gap skips, in pages of up to 1,000 events. */
const missed = ({ after, next }: Gap) =>
  Effect.gen(function* () {
    const sluice = yield* SluiceClient.SluiceClient
    yield* sluice
      .history(chat, { after, before: next })
      .pipe(Stream.runForEach(({ events }) => Console.log(`${events.length} earlier events`)))
  })

const show = (delivery: Delivery) => {
  switch (delivery._tag) {
    case "Events":
      return Effect.forEach(delivery.events, ({ data, name, seq }) => Console.log(seq, name, data), { discard: true })
    case "Gap":
      return missed(delivery.gap)
    case "Offline":
      return Console.log(`offline: ${delivery.why}; next try in ${delivery.millis} ms`)
    default:
      return Effect.void
  }
}

const say = (text: string) =>
  Effect.gen(function* () {
    const sluice = yield* SluiceClient.SluiceClient
    const { seq } = yield* sluice.send(chat, { id: crypto.randomUUID(), data: { text } })
    yield* Console.log(`stored as event ${seq}`)
  }).pipe(
    Effect.catchTags({
      Refused: ({ text }) => Console.error(`not stored: ${text}`),
      OutboxFull: ({ limit }) => Console.error(`not stored: ${limit} messages wait already`),
      Unavailable: ({ why }) => Console.error(`nobody knows whether it is stored: ${why}`)
    })
  )

/** Ends with the session. Fails with `Refused` or `Unavailable` when the stream or its history cannot be had. */
export const program = Effect.gen(function* () {
  const sluice = yield* SluiceClient.SluiceClient
  // Without `fillsGaps: false`, what a gap skips comes as events, in its place.
  const watching = yield* sluice
    .watch(chat, { from: "start", fillsGaps: false })
    .pipe(Stream.runForEach(show), Effect.fork)
  yield* say("hello")
  // Without a process that works for the session there is nothing to interrupt.
  yield* sluice.interrupt(chat).pipe(Effect.catchTag("Refused", ({ text }) => Console.log(text)))
  yield* Fiber.join(watching)
})
