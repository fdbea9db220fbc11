import * as Paths from "../../protocol/Paths.ts"
import type { Said } from "../core/Frames.ts"
import * as Exchange from "./Exchange.ts"
import * as Following from "./Following.ts"
import * as HistoryPages from "./HistoryPages.ts"
import type * as Item from "./Item.ts"
import * as ItemQueue from "./ItemQueue.ts"
import * as Page from "./Page.ts"
import type { Remote } from "./Remote.ts"
import { RequestFailed } from "./RequestFailed.ts"
import * as Sender from "./Sender.ts"
import * as Status from "./Status.ts"
import * as Timers from "./Timers.ts"
import * as Watched from "./Watched.ts"

/** Items that wait for their consumer before no more of the stream is read. */
const maxItems = 1000

export interface Options {
  /** Of the server, without the routes. In a page it may be relative, also empty. */
  readonly url: string
  /** 1 to 100, fixed for the client's life. */
  readonly sessions: ReadonlyArray<Watched.Watch>
  /** An API key or a token, sent as `Authorization: Bearer`. */
  readonly key?: string
  /** Where the stream comes from: `sharedConnection`, else a connection of its own. */
  readonly connection?: Following.Follow
  /** The platform's unless given. */
  readonly fetch?: typeof fetch
  /** The platform's unless given. */
  readonly timers?: Timers.Timers
  /** The window, where there is one, unless given. */
  readonly page?: EventTarget
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

/** `failed` with `status` 0: no answer came (`NO_ANSWER`, it may have been heard), or nothing was asked. */
export type AskResult = { readonly type: "accepted"; readonly receipt: Omit<Sender.Receipt, "id"> } | Sender.Failed

/** Sessions of a server, followed over any number of connections, until all have ended, the server refuses, or `close`. */
export interface BrowserClient {
  readonly status: Status.Status
  /** Hears each change, from now on; the result ends it. */
  readonly onStatus: (listener: (status: Status.Status) => void) => () => void
  /** Any JSON value, in order, at most 100 at a time. Never rejects. */
  readonly send: (data: unknown, options?: SendOptions) => Promise<Sender.SendResult>
  /** Asked exactly once. Never rejects. */
  readonly interrupt: (options?: AskOptions) => Promise<AskResult>
  /** Asked exactly once. Never rejects. */
  readonly stop: (options?: AskOptions) => Promise<AskResult>
  /** Pages of up to 1,000 events, read as they are taken. Rejects with `RequestFailed`. */
  readonly history: (session: string, range?: HistoryPages.Range) => AsyncIterable<Item.HistoryPage>
  /** Ends all of it at once; what was sent and has no answer is `unsent`. */
  readonly close: () => void
  /**
   * What comes, in order, for one consumer. To break off closes nothing: the next loop goes on there. Rejects once with
   * `RequestFailed` when the server refuses for good.
   */
  readonly [Symbol.asyncIterator]: () => AsyncIterator<Item.Item, undefined>
}

/** `randomUUID` is missing on plain http outside localhost. */
export const randomId = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-")

/** `undefined` for what is no JSON. */
export const jsonOf = (data: unknown): string | undefined => {
  try {
    return JSON.stringify(data)
  } catch {
    return undefined
  }
}

const invalid = Sender.failed({
  status: 0,
  code: "INVALID_REQUEST",
  message: "needs JSON data and a session"
})

/** Connects at once. Throws a `TypeError` for sessions that are none, fewer than 1 or more than 100; nothing else. */
export const connect = (options: Options): BrowserClient => {
  const { connection = Following.follow, key, page = Page.platform(), timers = Timers.platform, url } = options
  const remote: Remote = { url, key, timers, fetch: options.fetch ?? fetch }
  const watched = Watched.make(options.sessions)
  const [only, second] = watched.readers().keys()
  const theOnly = second === undefined ? only : undefined
  const items = ItemQueue.make<Item.Item>(maxItems)
  const status = Status.make()
  const closing = new AbortController()
  const { signal } = closing
  let token: string | undefined

  const sender = Sender.make(remote, signal, () => feed.renew("unknown to the server"))

  const finish = (last: Extract<Status.Status, { readonly state: Sender.End }>, error?: Error) => {
    unlisten()
    feed.close()
    status.set(last)
    items.end(error)
    sender.end(last.state)
  }

  const moved = (next: Status.Status, present?: string) => {
    token = present
    status.set(next)
    sender.connected(present)
  }

  const receive = async (said: ReadonlyArray<Said>) => {
    items.offer(
      watched.receive(said).flatMap(({ session, step }): ReadonlyArray<Item.Item> => {
        if (step.type === "opened") return []
        if (step.type !== "gap") return [{ ...step, session }]
        const { gap } = step
        return [{ ...step, session, history: () => HistoryPages.pages(remote, session, signal, gap) }]
      })
    )
    if (watched.isOver()) return finish({ state: "ended" })
    if (status.get().state === "replaying" && watched.isLive()) status.set({ state: "live" })
    await items.room()
  }

  const over = async (answer: Exchange.Answer) => {
    const { code, message: reason, status } = answer
    if (status !== 204) return finish({ state: "failed", reason, status, code }, new RequestFailed(answer))
    const message = { type: "end", reason: "ended", cursor: undefined } as const
    await receive(Array.from(watched.readers().keys(), (session) => ({ session, message })))
  }

  const ears: Following.Ears = { readers: watched.readers, receive, over, status: moved }

  const feed: Following.Feed = connection(remote, ears)
  const unlisten = Page.listen(page, feed)

  /** Once, and never again, whatever comes of it (S119). */
  const ask = async (
    what: "interrupt" | "stop",
    { message, session = theOnly }: AskOptions = {}
  ): Promise<AskResult> => {
    const body = jsonOf({ message: message && { id: randomId(), ...message }, token })
    if (session === undefined || body === undefined) return invalid
    const answer = await Exchange.ask(remote, `${Paths.session(session)}/${what}`, signal, body)
    const seq = Sender.seqOf(answer)
    if (seq !== undefined) return { type: "accepted", receipt: { session, seq } }
    return Sender.failed(answer)
  }

  return {
    get status() {
      return status.get()
    },
    onStatus: status.on,
    send: async (data, { id = randomId(), session = theOnly } = {}) => {
      const text = jsonOf(data)
      return session === undefined || text === undefined ? invalid : sender.send({ id, session, data: text })
    },
    interrupt: (asked) => ask("interrupt", asked),
    stop: (asked) => ask("stop", asked),
    history: (session, range = {}) => HistoryPages.pages(remote, session, signal, HistoryPages.ofRange(range)),
    close: () => {
      closing.abort(new Error("closed"))
      items.clear()
      finish({ state: "closed" })
    },
    [Symbol.asyncIterator]: () => ({ next: items.next })
  }
}
