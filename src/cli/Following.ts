import type * as HttpClient from "@effect/platform/HttpClient"
import { Chunk, Effect, Option, Ref, Stream } from "effect"
import * as Reader from "../client/core/Reader.ts"
import type { SessionId } from "../domain/Session.ts"
import * as Cursor from "../protocol/Cursor.ts"
import * as FrameDecoder from "../protocol/FrameDecoder.ts"
import * as Paths from "../protocol/Paths.ts"
import * as Delivery from "./Delivery.ts"
import * as Exchange from "./Exchange.ts"
import * as HistoryPages from "./HistoryPages.ts"
import type { Remote } from "./Remote.ts"

export interface Options {
  readonly remote: Remote
  readonly session: SessionId
  /** Where to begin; after that the place is the reader's own. */
  readonly from: "start" | "head" | Cursor.Cursor
  /** Gaps are filled from history, as far as the log still has their events. */
  readonly fillsGaps: boolean
}

const said = (steps: ReadonlyArray<Reader.Step>): string | undefined => {
  const bye = steps.find((step) => step._tag === "Bye")
  return bye === undefined ? undefined : `the server said goodbye (${bye.reason})`
}

/** What outlives the connections of one follower. `failures`: connects in a row that did not get as far as `hello`. */
interface State {
  readonly reader: Reader.Reader
  readonly failures: number
  readonly farewell: string | undefined
}

const received =
  (frames: ReadonlyArray<FrameDecoder.Decoded>) =>
  (state: State): readonly [ReadonlyArray<Delivery.Delivery>, State] => {
    const [reader, steps] = Reader.receiveAll(state.reader, frames)
    const isGreeted = steps.some(({ _tag }) => _tag === "Hello")
    const farewell = said(steps) ?? state.farewell
    return [Delivery.fromSteps(steps, reader), { reader, failures: isGreeted ? 0 : state.failures, farewell }]
  }

const open = ({ from, remote, session }: Options, { cursor }: Reader.Reader) =>
  Exchange.request("GET", remote, Paths.stream(session), {
    query: cursor === undefined && typeof from === "string" ? { from } : {},
    headers: {
      accept: "text/event-stream",
      ...(cursor === undefined ? {} : { [Paths.lastEventId]: Cursor.format(cursor) })
    }
  })

const ended = new Exchange.Unavailable({ why: "the stream ended", retryAfter: 0 })

/** One connection, to its end: that the server ended the stream is `Unavailable` as well, since a follower returns. */
const connection = (options: Options, state: Ref.Ref<State>) =>
  Effect.gen(function* () {
    const { reader } = yield* Ref.updateAndGet(state, (before) => ({ ...before, farewell: undefined }))
    const response = yield* Exchange.execute(open(options, reader), Reader.patience(reader))
    // What an ended session answers to who has all of it.
    if (response.status === 204) return Stream.make<[Delivery.Delivery]>({ _tag: "End", reason: "over" })
    const pull = yield* Stream.toPull(response.stream)
    const frames = FrameDecoder.make()
    const text = new TextDecoder("utf-8", { ignoreBOM: true })
    const next = Effect.gen(function* () {
      const patience = Reader.patience((yield* Ref.get(state)).reader)
      // Only the wait for bytes counts: who reads our output may take his time.
      const bytes = yield* pull.pipe(
        Effect.mapError(Option.map(Exchange.unavailable)),
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () =>
            Option.some(new Exchange.Unavailable({ why: `silent for ${patience / 1000} s`, retryAfter: 0 }))
        })
      )
      const decoded = Array.from(bytes).flatMap((piece) => frames.feed(text.decode(piece, { stream: true })))
      return Chunk.unsafeFromArray(yield* Ref.modify(state, received(decoded)))
    })
    return Stream.concat(Stream.repeatEffectChunkOption(next), Stream.fail(ended))
  }).pipe(Stream.unwrapScoped)

/** Tells why there is no connection, and waits for the next try. */
const pause = (state: Ref.Ref<State>, { retryAfter, why }: Exchange.Unavailable) =>
  Effect.gen(function* () {
    const { failures, farewell, reader } = yield* Ref.getAndUpdate(state, (before) => ({
      ...before,
      failures: before.failures + 1
    }))
    const millis = yield* Exchange.wait(failures, Math.max(retryAfter, reader.retry))
    const offline: Delivery.Delivery = { _tag: "Offline", why: farewell ?? why, millis }
    return Stream.concat(Stream.make(offline), Stream.drain(Stream.fromEffect(Effect.sleep(millis))))
  }).pipe(Stream.unwrap)

/**
 * A session from where the options say, over as many connections as it takes; it ends after `End`. Each event comes once
 * and in order; a `Gap` is what could not be had, or with `fillsGaps` off, what was not asked for.
 */
export const stream = (options: Options): Stream.Stream<Delivery.Delivery, Exchange.Refused, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const reader = Reader.make(typeof options.from === "string" ? undefined : options.from)
    const state = yield* Ref.make<State>({ reader, failures: 0, farewell: undefined })
    const filled = (delivery: Delivery.Delivery) =>
      delivery._tag === "Gap" && options.fillsGaps
        ? HistoryPages.fill(options.remote, options.session, delivery.gap)
        : Stream.make(delivery)
    const once = connection(options, state).pipe(
      Stream.flatMap(filled),
      Stream.catchTag("Unavailable", (error) => pause(state, error))
    )
    return Stream.takeUntil(Stream.forever(once), ({ _tag }) => _tag === "End")
  }).pipe(Stream.unwrap)
