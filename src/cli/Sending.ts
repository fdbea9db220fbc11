import { randomUUID } from "node:crypto"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { Effect, Mailbox, Ref, Schema, type Stream } from "effect"
import type { SessionId } from "../domain/Session.ts"
import * as Paths from "../protocol/Paths.ts"
import * as EventBatch from "./EventBatch.ts"
import * as Exchange from "../client/effect/Exchange.ts"
import { persistently } from "./Persistence.ts"
import type { Remote } from "./Remote.ts"

/** What the server has committed, as it said so. */
export const Receipt = Schema.Struct({
  epoch: Schema.String,
  first: Schema.NonNegativeInt,
  last: Schema.NonNegativeInt
})
export type Receipt = typeof Receipt.Type

const decode = Schema.decodeUnknown(Schema.parseJson(Receipt))

/** The server refused a batch for good; nothing of it was stored. */
class BatchRefused extends Schema.TaggedError<BatchRefused>()("BatchRefused", { text: Schema.String }) {}

export interface Options {
  readonly remote: Remote
  readonly session: SessionId
  readonly limits: EventBatch.Limits
  readonly onSend: (batch: EventBatch.EventBatch) => Effect.Effect<void>
  readonly onAccepted: (batch: EventBatch.EventBatch, receipt: Receipt) => Effect.Effect<void>
  readonly onWait: (why: string, millis: number) => Effect.Effect<void>
}

/** Batches that wait while one is on its way: with those taken from it, twice as many are in memory at most. */
const waitingBatches = 16

/** The server counts the lines of the body, the operator those of the input. */
const inWordsOfInput =
  ({ lines }: EventBatch.EventBatch) =>
  (error: Exchange.Refused) => {
    const inBody = Number(/^line (\d+)/.exec(error.field ?? "")?.[1] ?? Number.NaN)
    const line = lines[inBody - 1]
    return new BatchRefused({
      text: line === undefined ? error.text : error.text.replace(/\bline \d+/, `line ${line}`)
    })
  }

/**
 * Appends batches in order, one on its way at a time, while the next ones gather. Each carries a key of its own, and is sent
 * again with it, the same to the byte, until the server answers: accepted once, whatever happens in between.
 */
export const run = <E, R>(batches: Stream.Stream<EventBatch.EventBatch, E, R>, options: Options) =>
  Effect.gen(function* () {
    const { limits, onAccepted, onSend, onWait, remote, session } = options
    const runId = yield* Effect.sync(() => randomUUID())
    const mailbox = yield* Mailbox.fromStream(batches, { capacity: waitingBatches, strategy: "suspend" })
    const number = yield* Ref.make(0)

    const attempt = (body: string, key: string) =>
      Exchange.request("POST", remote, Paths.events(session), { headers: { [Paths.idempotencyKey]: key } }).pipe(
        HttpClientRequest.bodyText(body, Paths.ndjson),
        (request) => Exchange.execute(request, "60 seconds"),
        Effect.flatMap((response) => Effect.mapError(response.text, Exchange.unavailable)),
        Effect.flatMap((text) => Effect.mapError(decode(text), Exchange.unavailable)),
        Effect.scoped
      )

    const send = (batch: EventBatch.EventBatch) =>
      Effect.gen(function* () {
        const key = `${runId}.${yield* Ref.updateAndGet(number, (before) => before + 1)}`
        yield* onSend(batch)
        const receipt = yield* persistently(attempt(batch.body, key), onWait)
        yield* onAccepted(batch, receipt)
      }).pipe(Effect.catchTag("Refused", inWordsOfInput(batch)))

    const sendAll = (waiting: ReadonlyArray<EventBatch.EventBatch>) =>
      Effect.iterate(waiting, {
        while: (waiting) => waiting.length > 0,
        body: (waiting) => {
          const gathered = EventBatch.gather(waiting, limits)
          if (gathered === undefined) return Effect.succeed([])
          const [batch, rest] = gathered
          return Effect.as(send(batch), rest)
        }
      })

    // A failure of the input comes out of the mailbox after all that was read before it.
    const turn = Effect.flatMap(mailbox.takeAll, ([waiting, isDone]) => Effect.as(sendAll(Array.from(waiting)), isDone))
    yield* Effect.repeat(turn, { until: (isDone) => isDone })
  }).pipe(Effect.scoped)
