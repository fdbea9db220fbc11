import { Chunk, Deferred, Effect, Option, Ref, Stream } from "effect"
import type { SessionId } from "../../domain/Session.ts"
import * as FrameDecoder from "../../protocol/FrameDecoder.ts"
import * as Paths from "../../protocol/Paths.ts"
import type { Said } from "../core/Frames.ts"
import * as Readers from "../core/Readers.ts"
import * as Waits from "../core/Waits.ts"
import type * as Attempts from "./Attempts.ts"
import * as Delivery from "./Delivery.ts"
import * as Exchange from "./Exchange.ts"
import type * as StreamForm from "./StreamForm.ts"
import type * as Watchers from "./Watchers.ts"

/** What stays the same over all connections of a watcher. */
export interface Task {
  readonly remote: Exchange.Remote
  readonly sessions: ReadonlyMap<string, SessionId>
  readonly form: StreamForm.StreamForm
  readonly watcher: Ref.Ref<Watchers.Watcher>
  readonly waits: Attempts.Waits
}

type Gone = Watchers.Connection["gone"]

const hear =
  (gone: Gone) =>
  (watcher: Watchers.Watcher, { message, session }: Said): Watchers.Watcher => {
    if (session !== undefined) return watcher
    const { retry } = message
    if (message.type === "bye") return { ...watcher, retry, farewell: `the server said goodbye (${message.reason})` }
    const { heartbeat, token } = message
    return { ...watcher, retry, heartbeat, connection: { token, gone }, isStale: false }
  }

const receive =
  (gone: Gone, sessions: Task["sessions"], said: ReadonlyArray<Said>) =>
  (before: Watchers.Watcher): readonly [ReadonlyArray<Delivery.Delivery>, Watchers.Watcher] => {
    const [readers, steps] = Readers.receive(before.readers, said)
    const watcher = said.reduce(hear(gone), { ...before, readers })
    return [Delivery.fromSteps(steps, watcher.connection?.token ?? "", sessions), watcher]
  }

const request = ({ form, remote }: Task, readers: Readers.Readers) => {
  const place = form.place(readers)
  return Exchange.request("GET", remote, form.path, {
    // Of those without a place, `start` included, which is a place (`Cursor.origin`).
    query: [...form.query(readers), ["from", "head"]],
    headers: { accept: "text/event-stream", ...(place === undefined ? {} : { [Paths.lastEventId]: place }) }
  })
}

/** What ended sessions answer to who has all of them. */
const over = ({ sessions }: Task, readers: Readers.Readers) =>
  Array.from(sessions.values())
    .filter((session) => readers.has(session))
    .map((session): Delivery.Delivery => ({ _tag: "End", session, reason: "over" }))

const unavailable = (why: string) => new Exchange.Unavailable({ why, retryAfter: 0 })

/** One connection, to its end: that the server ended the stream is `Unavailable` as well, since a watcher returns. */
export const run = (task: Task) =>
  Effect.gen(function* () {
    const { form, sessions, waits, watcher } = task
    const leave = Ref.update(watcher, (before) => ({ ...before, connection: undefined }))
    const gone = yield* Deferred.make<never, Exchange.Unavailable>()
    yield* Effect.addFinalizer(() => leave)
    const before = yield* Ref.updateAndGet(watcher, (before) => ({ ...before, farewell: undefined }))
    const response = yield* Exchange.execute(request(task, before.readers), Waits.patience(before.heartbeat))
    if (response.status === 204) return Stream.fromIterable(over(task, before.readers))
    if (!/^text\/event-stream\b/i.test(response.headers["content-type"] ?? ""))
      return yield* unavailable("no event stream")
    const pull = yield* Stream.toPull(response.stream)
    const frames = FrameDecoder.make()
    const text = new TextDecoder("utf-8", { ignoreBOM: true })
    const next = Effect.gen(function* () {
      const { heartbeat } = yield* Ref.get(watcher)
      // Only the wait for bytes counts: who takes the deliveries may take his time.
      const bytes = yield* pull.pipe(
        Effect.mapError(Option.map(Exchange.unavailable)),
        Effect.timeoutFail({
          duration: Waits.patience(heartbeat),
          onTimeout: () => Option.some(unavailable(`silent for ${Waits.patience(heartbeat) / 1000} s`))
        }),
        Effect.raceFirst(Effect.mapError(Deferred.await(gone), Option.some))
      )
      const said = Array.from(bytes)
        .flatMap((piece) => frames.feed(text.decode(piece, { stream: true })))
        .flatMap(form.read)
      if (said.some(({ message }) => message.type === "hello")) yield* waits.reset
      return Chunk.unsafeFromArray(yield* Ref.modify(watcher, receive(gone, sessions, said)))
    })
    return Stream.concat(Stream.repeatEffectChunkOption(next), Stream.fail(unavailable("the stream ended")))
  }).pipe(Stream.unwrapScoped)
