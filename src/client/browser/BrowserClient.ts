import * as Asking from "./Asking.ts"
import { Following } from "./Following.ts"
import * as HistoryPages from "./HistoryPages.ts"
import type { HistoryPage, Item } from "./Item.ts"
import { ItemQueue } from "./ItemQueue.ts"
import * as Page from "./Page.ts"
import type { Remote } from "./Remote.ts"
import { Sender, type SendResult } from "./Sender.ts"
import { type Status, StatusBoard } from "./Status.ts"
import * as Timers from "./Timers.ts"
import { type Watch, Watched } from "./Watched.ts"

export type { AskReceipt, AskResult } from "./Asking.ts"
export { StreamRefused } from "./Following.ts"
export { HistoryFailed, type Range } from "./HistoryPages.ts"
export type { EventItem, GapItem, HistoryPage, Item } from "./Item.ts"
export type { Page } from "./Page.ts"
export type { Receipt, SendResult } from "./Sender.ts"
export type { Status } from "./Status.ts"
export type { Timers } from "./Timers.ts"
export type { Watch } from "./Watched.ts"

/** Items that wait for their consumer before no more of the stream is read. */
const maxItems = 1000

export interface Options {
  /** Of the server, without the routes. In a page it may be relative, also empty. */
  readonly url: string
  /** 1 to 100, fixed for the client's life. */
  readonly sessions: ReadonlyArray<Watch>
  /** An API key or a token, sent as `Authorization: Bearer`. */
  readonly key?: string
  /** The platform's unless given. */
  readonly fetch?: typeof fetch
  /** The platform's unless given. */
  readonly timers?: Timers.Timers
  /** The platform's unless given. */
  readonly page?: Page.Page
}

/** For one session it can be left out where the client has only that one. `id`: 1 to 128 characters, one's own or a random one. */
export interface SendOptions {
  readonly session?: string
  readonly id?: string
}

export interface AskOptions {
  readonly session?: string
  /** Any JSON, for the process to hear with it. */
  readonly message?: { readonly id?: string; readonly data: unknown }
}

/** Sessions of a server, followed over any number of connections, until all have ended, the server refuses, or `close`. */
export interface BrowserClient {
  readonly status: Status
  /** Hears each change, from now on; the result ends it. */
  readonly onStatus: (listener: (status: Status) => void) => () => void
  /** Any JSON value, in order, at most 100 at a time. Never rejects. */
  readonly send: (data: unknown, options?: SendOptions) => Promise<SendResult>
  /** Asked exactly once. Never rejects. */
  readonly interrupt: (options?: AskOptions) => Promise<Asking.AskResult>
  /** Asked exactly once. Never rejects. */
  readonly stop: (options?: AskOptions) => Promise<Asking.AskResult>
  /** Pages of up to 1,000 events, read as they are taken. Rejects with `HistoryFailed`. */
  readonly history: (session: string, range?: HistoryPages.Range) => AsyncIterable<HistoryPage>
  /** Ends all of it at once; what was sent and has no answer is `unsent`. */
  readonly close: () => void
  /**
   * What comes, in order, for one consumer. To break off closes nothing: the next loop goes on there. Rejects once with
   * `StreamRefused` when the server refuses for good.
   */
  readonly [Symbol.asyncIterator]: () => AsyncIterator<Item, undefined>
}

/** `randomUUID` is missing on plain http outside localhost. */
const randomId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/** `undefined` for what is no JSON. */
const jsonOf = (data: unknown): string | undefined => {
  try {
    return JSON.stringify(data)
  } catch {
    return undefined
  }
}

const failed = (code: string, message: string) => ({ type: "failed", status: 0, code, message }) as const
const noSession = failed("SESSION_NEEDED", "the client has several sessions: say which")
const noJson = failed("INVALID_REQUEST", "data must be a JSON value")

/** Connects at once. Throws a `TypeError` for fewer than 1 or more than 100 sessions; nothing else. */
export const connect = (options: Options): BrowserClient => {
  const { key, page = Page.platform(), timers = Timers.platform, url } = options
  const remote: Remote = { url, key, timers, fetch: options.fetch ?? ((input, init) => fetch(input, init)) }
  const watched = new Watched(options.sessions)
  const items = new ItemQueue<Item>(maxItems)
  const board = new StatusBoard()
  const sender = new Sender(remote)
  const closing = new AbortController()
  const [only] = watched.sessions.length === 1 ? watched.sessions : []
  let token: string | undefined

  const following = new Following({
    remote,
    watched,
    items,
    board,
    onToken: (present) => {
      token = present
      sender.connected(present)
    },
    history: (session, gap) => HistoryPages.ofGap(remote, session, gap, closing.signal)
  })

  const unlisten = Page.listen(page, {
    onReturn: () => following.hurry(),
    onNetwork: (isDown) => board.network(isDown)
  })

  const ask = async (what: "interrupt" | "stop", { message, session = only }: AskOptions = {}) => {
    if (closing.signal.aborted) return failed("CLOSED", "the client was closed")
    if (session === undefined) return noSession
    const data = message === undefined ? undefined : jsonOf(message.data)
    if (message !== undefined && data === undefined) return noJson
    const said = data === undefined ? undefined : { id: message?.id ?? randomId(), data }
    return Asking.ask(remote, what, session, said, token, closing.signal)
  }

  const close = () => {
    if (closing.signal.aborted) return
    closing.abort()
    unlisten()
    following.close()
    sender.end("closed")
    items.close()
    board.set({ state: "closed" })
  }

  following
    .run()
    .then((end) => {
      unlisten()
      sender.end(end)
    })
    .catch((bug: unknown) => {
      // Only a bug comes here; whoever waits is told.
      sender.end("failed")
      items.end(bug instanceof Error ? bug : new Error(String(bug)))
    })

  return {
    get status() {
      return board.status
    },
    onStatus: (listener) => board.on(listener),
    send: async (data, { id = randomId(), session = only } = {}) => {
      const text = jsonOf(data)
      if (session === undefined) return noSession
      return text === undefined ? noJson : sender.send({ id, session, data: text })
    },
    interrupt: (asked) => ask("interrupt", asked),
    stop: (asked) => ask("stop", asked),
    history: (session, range = {}) => HistoryPages.ofRange(remote, session, range, closing.signal),
    close,
    [Symbol.asyncIterator]: () => ({ next: () => items.next() })
  }
}
