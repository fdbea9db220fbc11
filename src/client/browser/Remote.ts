import type { Timers } from "./Timers.ts"
import { untilAborted } from "./Waiting.ts"

/** A server, and how to reach it. `url` without the routes; a relative one is the page's. */
export interface Remote {
  readonly url: string
  readonly key: string | undefined
  readonly fetch: typeof fetch
  readonly timers: Timers
}

/** A request that is answered with JSON, and not by a stream. `body` is JSON text. */
export interface Call {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly body?: string
}

/** `code` and `message` of an error as the server said; `retryAfter` in milliseconds. */
export interface Answered {
  readonly type: "answered"
  readonly status: number
  readonly code: string
  readonly message: string
  readonly retryAfter: number
  readonly body: unknown
}

/** Whether the request was heard is unknown. */
export interface NoAnswer {
  readonly type: "none"
  readonly message: string
}

/** Milliseconds until a server answers at most. */
const patience = 30_000

/** For people; nothing is decided by it. */
export const words = (failure: unknown): string => (failure instanceof Error ? failure.message : String(failure))

/** A property of whatever came as JSON. */
export const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `Retry-After` in milliseconds: given in seconds, or as a date. 0 without one. */
export const retryAfter = (headers: Headers, now: number): number => {
  const text = headers.get("retry-after") ?? ""
  const millis = /^[0-9]+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(millis) ? Math.max(0, millis) : 0
}

export const send = ({ fetch, key, url }: Remote, path: string, init: RequestInit): Promise<Response> => {
  const headers = new Headers(init.headers)
  if (key !== undefined) headers.set("authorization", `Bearer ${key}`)
  return fetch(`${url.replace(/\/+$/, "")}${path}`, { ...init, headers })
}

/** Reads an answer to its end. */
export const read = async (response: Response, now: number): Promise<Answered> => {
  const body = parse(await response.text())
  const error = field(body, "error")
  const code = field(error, "code")
  const message = field(error, "message")
  return {
    type: "answered",
    status: response.status,
    code: typeof code === "string" ? code : "UNKNOWN",
    message: typeof message === "string" ? message : `the server answered ${response.status}`,
    retryAfter: retryAfter(response.headers, now),
    body
  }
}

/** One request and its answer; never rejects. Given up after 30 s, or when `signal` comes. */
export const ask = async (
  remote: Remote,
  { body, method, path }: Call,
  signal: AbortSignal
): Promise<Answered | NoAnswer> => {
  const controller = new AbortController()
  const abort = () => controller.abort()
  if (signal.aborted) abort()
  signal.addEventListener("abort", abort, { once: true })
  const cancel = remote.timers.after(patience, abort)
  try {
    const init = body === undefined ? {} : { body, headers: { "content-type": "application/json" } }
    const answer = async () =>
      read(await send(remote, path, { method, ...init, signal: controller.signal }), remote.timers.now())
    return await untilAborted(controller.signal, answer())
  } catch (failure) {
    if (signal.aborted) return { type: "none", message: "the client was closed" }
    const message = controller.signal.aborted ? `no answer within ${patience / 1000} s` : words(failure)
    return { type: "none", message }
  } finally {
    cancel()
    signal.removeEventListener("abort", abort)
  }
}
