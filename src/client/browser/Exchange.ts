import * as Paths from "../../protocol/Paths.ts"
import * as Json from "../core/Json.ts"
import type { Remote } from "./Remote.ts"
import { never } from "./Timers.ts"

/** How a request ended. `retryAfter` in milliseconds. */
export interface Answer {
  /** 0: without an answer, so that nobody knows whether it was heard; or a stream that came to its end. */
  readonly status: number
  /** Of the contract's table of errors, `NO_ANSWER`, or empty where it was not Sluice that answered. */
  readonly code: string
  readonly message: string
  readonly retryAfter: number
  readonly body: Json.Body
}

export interface Options {
  readonly path: string
  /** `Last-Event-ID`. */
  readonly lastId?: string | undefined
  /** JSON text. With it the request is a `POST`. */
  readonly body?: string | undefined
  /** Milliseconds without a byte after which it is dead; it may change with each piece. */
  readonly patience: () => number
  /** A piece of a stream. No more is read before it is done. Without it no stream is asked for. */
  readonly receive?: (text: string) => Promise<void>
}

/** One request, to the end of its answer. Once it was aborted, nothing of it is heard any more, however late. */
export interface Exchange {
  /** Never rejects. */
  readonly done: Promise<Answer>
  readonly abort: (why: string) => void
  /** Ends it if it was silent for too long: timers may have stood still. */
  readonly check: () => void
}

/** Without an answer. Words are for people; nothing is decided by them. */
export const failed = (failure: unknown): Answer => ({
  status: 0,
  code: "NO_ANSWER",
  message: failure instanceof Error ? failure.message : String(failure),
  retryAfter: 0,
  body: {}
})

const read = async (response: Response): Promise<Answer> => {
  const body = Json.parse(await response.text())
  const error = Json.record(body["error"])
  const { headers, status } = response
  return {
    status,
    code: Json.text(error["code"]),
    message: Json.text(error["message"]) || `status ${status}`,
    // In seconds; a date, which a proxy might say, counts as nothing said.
    retryAfter: Json.whole(Number(headers.get("retry-after"))) * 1000,
    body
  }
}

/** The result of `promise`, unless `signal` comes first: then it is ignored, also when it is a failure. */
export const untilAborted = <A>(signal: AbortSignal, promise: Promise<A>): Promise<A> =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener("abort", stop)
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop))
  })

export const open = (remote: Remote, { body, lastId, path, patience, receive }: Options): Exchange => {
  const { fetch, key, timers, url } = remote
  const { after, now } = timers
  const controller = new AbortController()
  const { signal } = controller
  const abort = (why: string) => controller.abort(new Error(why))
  /** Only while bytes are waited for: a consumer may take its time. */
  let deadline = never

  const die = () => abort(`silent for ${patience() / 1000} s`)

  const check = () => {
    if (now() >= deadline) die()
  }

  /** Waits for the peer, as long as it may be silent. */
  const within = async <A>(promise: Promise<A>): Promise<A> => {
    const millis = patience()
    deadline = now() + millis
    // Its word counts, whatever the clock says: a timer may be early, and a clock be set back.
    const cancel = after(millis, die)
    try {
      return await untilAborted(signal, promise)
    } finally {
      cancel()
      deadline = never
    }
  }

  const run = async (): Promise<Answer> => {
    const headers = new Headers()
    const set = (name: string, value: string | undefined) => value && headers.set(name, value)
    set("accept", receive && "text/event-stream")
    set("authorization", key && `Bearer ${key}`)
    set("content-type", body && "application/json")
    set(Paths.lastEventId, lastId)
    const method = body ? "POST" : "GET"
    // Else Chromium asks a second time while the stream that this one replaces is still in its cache.
    const init = { method, headers, body: body ?? null, signal, cache: "no-store" } as const
    const response = await within(fetch(url.replace(/\/+$/, "") + path, init))
    if (receive === undefined || response.status !== 200) return await within(read(response))
    const reader = response.body?.getReader()
    const type = response.headers.get("content-type")
    if (!reader || !type?.startsWith("text/event-stream")) return failed("no event stream")
    const text = new TextDecoder()
    for (;;) {
      const { done, value } = await within(reader.read())
      if (done) return failed("the stream ended")
      await untilAborted(signal, receive(text.decode(value, { stream: true })))
    }
  }

  const done = run()
    .catch(failed)
    .finally(() => abort("")) // what was not read is let go
  return { abort, check, done }
}

/** Milliseconds without a byte of an answer. */
const patience = () => 30_000

/** One request and its answer; never rejects. Given up after 30 s, or when `signal` comes. */
export const ask = (remote: Remote, path: string, signal: AbortSignal, body?: string): Promise<Answer> => {
  if (signal.aborted) return Promise.resolve(failed(signal.reason))
  const exchange = open(remote, { path, patience, body })
  return untilAborted(signal, exchange.done).catch((why: unknown) => {
    exchange.abort("closed")
    return failed(why)
  })
}
