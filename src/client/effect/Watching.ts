import type * as HttpClient from "@effect/platform/HttpClient"
import { Chunk, Effect, Option, Ref, Stream } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import * as FrameDecoder from "../../protocol/FrameDecoder.ts"
import * as Paths from "../../protocol/Paths.ts"
import type * as VectorCursor from "../../protocol/VectorCursor.ts"
import * as Reader from "../core/Reader.ts"
import type * as Readers from "../core/Readers.ts"
import * as Delivery from "./Delivery.ts"
import * as Exchange from "./Exchange.ts"
import * as HistoryPages from "./HistoryPages.ts"
import * as Retrying from "./Retrying.ts"
import * as StreamForm from "./StreamForm.ts"

export interface Options {
  /** Where to begin in sessions that have no cursor (`head`); after that the place is the reader's own. */
  readonly from?: "start" | "head"
  /** The last event that is known of a session. */
  readonly cursors?: VectorCursor.VectorCursor
  /** Gaps are filled from history (true), as far as the log still has their events; what follows them waits. */
  readonly fillsGaps?: boolean
}

/** What outlives the connections of one watcher. `failures`: connects in a row that did not get as far as `hello`. */
interface State {
  /** Of the sessions that have not ended. */
  readonly readers: Readers.Readers
  readonly failures: number
  readonly farewell: string | undefined
}

/** What stays the same over all connections. */
interface Task {
  readonly remote: Exchange.Remote
  readonly sessions: ReadonlyMap<string, SessionId>
  readonly form: StreamForm.StreamForm
  readonly options: Options
  readonly state: Ref.Ref<State>
}

/** Heartbeat and `retry` are of the connection: each reader knows them. */
const anyOf = (readers: Readers.Readers): Reader.Reader => {
  for (const reader of readers.values()) return reader
  return Reader.make()
}

const said = (steps: ReadonlyArray<Readers.Step>): string | undefined => {
  for (const { step } of steps) if (step._tag === "Bye") return `the server said goodbye (${step.reason})`
  return undefined
}

const received =
  ({ form, sessions }: Task, frames: ReadonlyArray<FrameDecoder.Decoded>) =>
  (state: State): readonly [ReadonlyArray<Delivery.Delivery>, State] => {
    const [readers, steps] = form.receive(state.readers, frames)
    const isGreeted = steps.some(({ step }) => step._tag === "Hello")
    const over = new Set(steps.map(({ session, step }) => (step._tag === "End" ? session : undefined)))
    const left = new Map(Array.from(readers).filter(([session]) => !over.has(session)))
    const farewell = said(steps) ?? state.farewell
    const failures = isGreeted ? 0 : state.failures
    return [Delivery.fromSteps(steps, readers, sessions), { readers: left, failures, farewell }]
  }

const open = ({ form, options, remote }: Task, readers: Readers.Readers) => {
  const place = form.place(readers)
  const isNew = Array.from(readers.values()).some(({ cursor }) => cursor === undefined)
  return Exchange.request("GET", remote, form.path, {
    query: [...form.query(readers), ...(isNew ? [["from", options.from ?? "head"] as const] : [])],
    headers: { accept: "text/event-stream", ...(place === undefined ? {} : { [Paths.lastEventId]: place }) }
  })
}

/** What ended sessions answer to who has all of them. */
const over = ({ sessions }: Task, readers: Readers.Readers) =>
  Array.from(sessions.values())
    .filter((session) => readers.has(session))
    .map((session): Delivery.Delivery => ({ _tag: "End", session, reason: "over" }))

const ended = new Exchange.Unavailable({ why: "the stream ended", retryAfter: 0 })

/** One connection, to its end: that the server ended the stream is `Unavailable` as well, since a watcher returns. */
const connection = (task: Task) =>
  Effect.gen(function* () {
    const { state } = task
    const { readers } = yield* Ref.updateAndGet(state, (before) => ({ ...before, farewell: undefined }))
    const response = yield* Exchange.execute(open(task, readers), Reader.patience(anyOf(readers)))
    if (response.status === 204) return Stream.fromIterable(over(task, readers))
    const pull = yield* Stream.toPull(response.stream)
    const frames = FrameDecoder.make()
    const text = new TextDecoder("utf-8", { ignoreBOM: true })
    const next = Effect.gen(function* () {
      const patience = Reader.patience(anyOf((yield* Ref.get(state)).readers))
      // Only the wait for bytes counts: who takes the deliveries may take his time.
      const bytes = yield* pull.pipe(
        Effect.mapError(Option.map(Exchange.unavailable)),
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () =>
            Option.some(new Exchange.Unavailable({ why: `silent for ${patience / 1000} s`, retryAfter: 0 }))
        })
      )
      const decoded = Array.from(bytes).flatMap((piece) => frames.feed(text.decode(piece, { stream: true })))
      return Chunk.unsafeFromArray(yield* Ref.modify(state, received(task, decoded)))
    })
    return Stream.concat(Stream.repeatEffectChunkOption(next), Stream.fail(ended))
  }).pipe(Stream.unwrapScoped)

/** Tells why there is no connection, and waits for the next try. */
const pause = (state: Ref.Ref<State>, { retryAfter, why }: Exchange.Unavailable) =>
  Effect.gen(function* () {
    const { failures, farewell, readers } = yield* Ref.getAndUpdate(state, (before) => ({
      ...before,
      failures: before.failures + 1
    }))
    const millis = yield* Retrying.wait(failures, Math.max(retryAfter, anyOf(readers).retry))
    const offline: Delivery.Delivery = { _tag: "Offline", why: farewell ?? why, millis }
    return Stream.concat(Stream.make(offline), Stream.drain(Stream.fromEffect(Effect.sleep(millis))))
  }).pipe(Stream.unwrap)

/** Ends behind the `End` of the last session. */
const untilAllEnd =
  (count: number) => (deliveries: Stream.Stream<Delivery.Delivery, Exchange.Refused, HttpClient.HttpClient>) =>
    deliveries.pipe(
      Stream.mapAccum(count, (before, delivery) => {
        const left = delivery._tag === "End" ? before - 1 : before
        return [left, { delivery, isLast: left === 0 }]
      }),
      Stream.takeUntil(({ isLast }) => isLast),
      Stream.map(({ delivery }) => delivery)
    )

/**
 * Sessions from where the options say, over as many connections as it takes; it ends when all of them have. Each event comes
 * once and, within its session, in order; a `Gap` is what could not be had, or with `fillsGaps` off, what was not asked for.
 */
export const stream = (remote: Exchange.Remote, ids: ReadonlyArray<SessionId>, options: Options) =>
  Effect.gen(function* () {
    const sessions = new Map<string, SessionId>(ids.map((session) => [session, session]))
    const form = StreamForm.make(Array.from(sessions.keys()))
    const readers = new Map(Array.from(sessions.keys(), (id) => [id, Reader.make(options.cursors?.get(id))]))
    const state = yield* Ref.make<State>({ readers, failures: 0, farewell: undefined })
    const filled = (delivery: Delivery.Delivery) =>
      delivery._tag === "Gap" && (options.fillsGaps ?? true)
        ? HistoryPages.fill(remote, delivery.session, delivery.gap)
        : Stream.make(delivery)
    return connection({ remote, sessions, form, options, state }).pipe(
      Stream.flatMap(filled),
      Stream.catchTag("Unavailable", (error) => pause(state, error)),
      Stream.forever,
      untilAllEnd(sessions.size)
    )
  }).pipe(Stream.unwrap)
