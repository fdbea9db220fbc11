import * as Http from "node:http"
import { StringDecoder } from "node:string_decoder"
import { Data, Deferred, Effect, type Scope } from "effect"
import * as FrameDecoder from "../protocol/FrameDecoder.ts"

export type StreamEvent = Extract<FrameDecoder.Decoded, { readonly _tag: "Event" }>

/** No response came: refused, reset, or no HTTP. */
export class StreamNotOpened extends Data.TaggedError("StreamNotOpened")<{ readonly cause: Error }> {}

/** What was awaited cannot come any more: the stream ended. `received` is the text that had come. */
export class StreamEnded extends Data.TaggedError("StreamEnded")<{ readonly received: string }> {}

/**
 * The client's end of one stream. It never comes back by itself, and ends only when the server ends it, `abort` is called
 * or its scope closes. What was received is kept, without bound.
 */
export interface StreamClient {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  /** So far, as they came. */
  readonly bytes: () => Buffer
  readonly text: () => string
  readonly frames: () => ReadonlyArray<FrameDecoder.Decoded>
  /** The frames that a browser would report, control frames included. */
  readonly events: () => ReadonlyArray<StreamEvent>
  /** What a browser would send as `Last-Event-ID` now. */
  readonly lastId: () => string
  /** The first `count` events, as soon as they are there. */
  readonly take: (count: number) => Effect.Effect<ReadonlyArray<StreamEvent>, StreamEnded>
  /** The first event, received already or still to come, that is such a one. */
  readonly find: (isSuch: (event: StreamEvent) => boolean) => Effect.Effect<StreamEvent, StreamEnded>
  /** The first control frame or event of this name. */
  readonly named: (name: string) => Effect.Effect<StreamEvent, StreamEnded>
  /** Waits until the text received so far is as wanted. */
  readonly until: (isEnough: (text: string) => boolean) => Effect.Effect<string, StreamEnded>
  /** All text, once the stream has ended. `isComplete`: properly, not cut off. */
  readonly ended: Effect.Effect<{ readonly text: string; readonly isComplete: boolean }>
  /** From now on no byte is taken from the socket, whose buffers fill, until `resume`. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Cuts the connection, as a browser does that leaves the page. */
  readonly abort: Effect.Effect<void>
}

export interface Options {
  readonly headers?: Http.OutgoingHttpHeaders
}

const read = (request: Http.ClientRequest, response: Http.IncomingMessage): StreamClient => {
  const decoder = FrameDecoder.make()
  const utf8 = new StringDecoder("utf8")
  const chunks: Array<Buffer> = []
  const frames: Array<FrameDecoder.Decoded> = []
  const events: Array<StreamEvent> = []
  const attempts = new Set<() => void>()
  let text = ""
  let isOver = false

  const attemptAll = () => {
    for (const attempt of attempts) attempt()
  }

  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    const part = utf8.write(chunk)
    text += part
    for (const frame of decoder.feed(part)) {
      frames.push(frame)
      if (frame._tag === "Event") events.push(frame)
    }
    attemptAll()
  })
  response.on("error", () => {}) // a cut: `close` follows
  response.once("close", () => {
    isOver = true
    attemptAll()
  })

  /** `get` is asked again whenever something came. */
  const awaitSome = <A>(get: () => A | undefined): Effect.Effect<A, StreamEnded> =>
    Effect.async((resume) => {
      const attempt = () => {
        const value = get()
        if (value === undefined && !isOver) return
        attempts.delete(attempt)
        resume(value === undefined ? new StreamEnded({ received: text }) : Effect.succeed(value))
      }
      attempts.add(attempt)
      attempt()
      return Effect.sync(() => attempts.delete(attempt))
    })

  const find = (isSuch: (event: StreamEvent) => boolean) => awaitSome(() => events.find(isSuch))

  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes: () => Buffer.concat(chunks),
    text: () => text,
    frames: () => frames,
    events: () => events,
    lastId: decoder.lastId,
    take: (count) => awaitSome(() => (events.length >= count ? events.slice(0, count) : undefined)),
    find,
    named: (name) => find((event) => event.name === name),
    until: (isEnough) => awaitSome(() => (isEnough(text) ? text : undefined)),
    ended: Effect.orDie(awaitSome(() => (isOver ? { text, isComplete: response.complete } : undefined))),
    pause: Effect.sync(() => response.pause()),
    resume: Effect.sync(() => response.resume()),
    abort: Effect.sync(() => request.destroy())
  }
}

/**
 * Opens a stream; done when the response's head is there, whatever its status. Over `node:http`: `fetch` has no raw bytes
 * and shares sockets behind a test's back.
 */
export const open = (url: string, options: Options = {}): Effect.Effect<StreamClient, StreamNotOpened, Scope.Scope> =>
  Effect.gen(function* () {
    const opened = yield* Deferred.make<StreamClient, StreamNotOpened>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        // An agent of its own: no stream shares a socket or waits for one.
        const agent = new Http.Agent({ keepAlive: true })
        const request = Http.get(url, { agent, headers: { Accept: "text/event-stream", ...options.headers } })
        request.once("response", (response) => Deferred.unsafeDone(opened, Effect.succeed(read(request, response))))
        request.on("error", (cause) => Deferred.unsafeDone(opened, new StreamNotOpened({ cause })))
        return request
      }),
      (request) => Effect.sync(() => request.destroy())
    )
    return yield* Deferred.await(opened)
  })
