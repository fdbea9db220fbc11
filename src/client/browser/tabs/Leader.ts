import type { Said } from "../../core/Frames.ts"
import * as Reader from "../../core/Reader.ts"
import * as Readers from "../../core/Readers.ts"
import * as Cursor from "../../../protocol/Cursor.ts"
import type { Answer } from "../Exchange.ts"
import type { Feed, Follow } from "../Following.ts"
import type { Remote } from "../Remote.ts"
import type { Status } from "../Status.ts"
import type { FromLeader, Places, ToLeader } from "./Message.ts"

/** The most sessions of one stream (contract §2). */
const maxSessions = 100

/** Milliseconds in which tabs with other sessions are waited for. */
const gathering = 50

export interface Options {
  readonly remote: Remote
  readonly follow: Follow
  /** To one tab, or to all. */
  readonly tell: (message: FromLeader, to?: string) => void
  /** Done when this tab is gone. */
  readonly gone: (tab: string, act: () => void) => void
}

/** A place before a log that is not known here says nothing to a tab that knows the log. */
const known = (place: Cursor.Cursor | undefined) => (place === undefined || Cursor.isOrigin(place) ? undefined : place)

/**
 * The tab that has the connection, over all sessions that some tab watches. It waits for nobody: who is slow falls behind, and
 * reads what it missed from the history.
 */
export const make = ({ follow, gone, remote, tell }: Options) => {
  const tabs = new Map<string, Places>()
  const live = new Set<string>()
  let readers: Readers.Readers = new Map()
  let feed: Feed | undefined
  let status: Status = { state: "connecting" }
  let token: string | undefined
  let isClosed = false
  let cancel = () => {}

  const receive = (said: ReadonlyArray<Said>): Promise<void> => {
    for (const one of said) {
      if (one.session === undefined) continue
      if (one.message.type === "opened") live.delete(one.session)
      if (one.message.type === "live") live.add(one.session)
    }
    const [next] = Readers.receive(readers, said)
    readers = next
    tell({ type: "said", said })
    if (readers.size === 0) stop()
    return Promise.resolve()
  }

  const stop = () => {
    cancel()
    feed?.close()
    feed = undefined
  }

  const over = (answer: Answer): Promise<void> => {
    if (answer.status === 204) {
      // It has all; a tab that begins sooner reads up to there.
      return receive(
        Array.from(readers, ([session, { cursor }]) => ({
          session,
          message: { type: "end", reason: "ended", cursor: known(cursor) }
        }))
      )
    }
    // It may be for the sake of one session of one tab: each asks for itself.
    stop()
    tell({ type: "alone" })
    return Promise.resolve()
  }

  const start = () => {
    const next = follow(remote, {
      readers: () => readers,
      receive,
      over,
      status: (next, present) => {
        status = next
        token = present
        tell({ type: "status", status, token })
      }
    })
    // Who listens to the status in this tab may have closed it.
    if (isClosed) next.close()
    else feed = next
  }

  /** Of many tabs that come at once, as to a new leader, once. */
  const restart = () => {
    cancel()
    cancel = remote.timers.after(gathering, () => {
      stop()
      start()
    })
  }

  /** What a tab would have heard by now, had it been there from the beginning. */
  const welcome = (tab: string, places: Places) => {
    tell({ type: "status", status, token }, tab)
    const said = places.flatMap(([session]): ReadonlyArray<Said> => {
      const reader = readers.get(session)
      const place = reader?.cursor
      if (reader === undefined || place === undefined || token === undefined) return []
      const opened: Said = { session, message: { type: "opened", mode: "resumed", epoch: reader.epoch, place } }
      return live.has(session) ? [opened, { session, message: { type: "live", cursor: known(place) } }] : [opened]
    })
    tell({ type: "said", said }, tab)
  }

  const join = (tab: string, places: Places) => {
    const fresh = places.filter(([session]) => !readers.has(session))
    if (readers.size + fresh.length > maxSessions) return tell({ type: "alone" }, tab)
    if (!tabs.has(tab)) gone(tab, () => leave(tab))
    tabs.set(tab, places)
    readers = new Map([...readers, ...fresh.map(([session, place]) => [session, Reader.make(place)] as const)])
    if (readers.size > 0 && feed === undefined) start()
    // One that is offline asks for all when it comes back, not before it was to.
    else if (fresh.length > 0 && status.state !== "offline") restart()
    welcome(tab, places)
  }

  /** What nobody watches any more is not asked for by the next connection. */
  const leave = (tab: string) => {
    tabs.delete(tab)
    const wanted = new Set(Array.from(tabs.values()).flatMap((places) => places.map(([session]) => session)))
    readers = new Map(Array.from(readers).filter(([session]) => wanted.has(session)))
    if (readers.size === 0) stop()
  }

  return {
    hear: (message: ToLeader): void => {
      if (message.type === "join") join(message.tab, message.places)
      if (message.type === "leave") leave(message.tab)
      if (message.type === "ask") tell({ type: "said", said: [] })
      if (message.type === "hurry") feed?.hurry()
      if (message.type === "renew" && message.token === token) feed?.renew(message.why)
    },
    close: () => {
      isClosed = true
      stop()
    }
  }
}
