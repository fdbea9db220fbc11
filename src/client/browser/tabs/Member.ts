import { type Ears, follow } from "../Following.ts"
import type { Remote } from "../Remote.ts"
import { never } from "../Timers.ts"
import { catchUp } from "./CatchUp.ts"
import * as Leader from "./Leader.ts"
import type { FromLeader, Heard, Message, Spoken, ToLeader } from "./Message.ts"
import type { Tabs } from "./Tabs.ts"

/** Pieces of the stream that wait for a slow tab at most. What comes above that is read from the history when it has time. */
export const maxPieces = 1000

/** Events that a tab reads from the history when it comes, as a server has a cap for who returns; what is before is a gap. */
export const catchUpCap = 1000

/** Milliseconds without a word of the leading tab after which it is asked for one, and then until it is deposed. */
const patience = 45_000
const lastPatience = 5000

const isToLeader = (message: Message): message is ToLeader =>
  ["join", "leave", "ask", "hurry", "renew"].includes(message.type)

/** Done when `signal` came; at once when it came before. */
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener("abort", () => resolve())
  })

/** Anything else means that there are no locks for this page. */
const isStolen = (failure: unknown) => failure instanceof Error && failure.name === "AbortError"

/**
 * A tab from when it is there until it is away: closed, or in the bfcache. It hears the tab that leads, and may come to lead.
 * `alone`: it is not to share; it is left to its owner to make it leave.
 */
export const make = (remote: Remote, ears: Ears, tabs: Tabs, name: string, alone: () => void) => {
  const { after, now, random } = remote.timers
  const tab = tabs.id()
  const away = new AbortController()
  const { signal } = away
  let leader: ReturnType<typeof Leader.make> | undefined
  /** Of the leader that it hears: one that is deposed while it is stuck may speak once more when it wakes up. */
  let term = 0
  /** What is said to all before the answer to its join, was said from another place than the answer will be. */
  let isWelcome = false
  let token: string | undefined
  let pieces: Array<Heard> = []
  let most = catchUpCap
  let isBusy = false
  let isBehind = false
  let cancel = () => {}
  let claimed = new AbortController()

  const toLeader = (message: ToLeader) => (leader === undefined ? channel.post(message) : leader.hear(message))

  const join = () => {
    // Who is slow is behind, and misses nothing for it.
    most = isBehind ? never : catchUpCap
    isBehind = false
    isWelcome = false
    toLeader({ type: "join", tab, places: Array.from(ears.readers(), ([session, { cursor }]) => [session, cursor]) })
  }

  const take = async (piece: Heard): Promise<void> => {
    if (piece.type === "status") {
      token = piece.token
      return ears.status(piece.status, token)
    }
    for await (const part of catchUp(remote, ears.readers, piece.said, most, signal)) {
      if (signal.aborted) return
      if (part.length > 0) await ears.receive(part)
    }
  }

  const takeAll = async (): Promise<void> => {
    isBusy = true
    for (let piece = pieces.shift(); piece !== undefined && !signal.aborted; piece = pieces.shift()) await take(piece)
    isBusy = false
    if (isBehind && !signal.aborted) join()
  }

  const hearLeader = (message: Spoken) => {
    if (signal.aborted || message.term < term) return
    term = message.term
    watchLeader()
    if (message.type === "leads") return join()
    if (message.to !== undefined && message.to !== tab) return
    isWelcome ||= message.to === tab
    if (!isWelcome) return
    if (message.type === "alone") return alone()
    // A slow tab drops what it has not taken, and joins anew where it is then.
    if (pieces.length >= maxPieces) isBehind = true
    if (isBehind) pieces = []
    else pieces.push(message)
    if (!isBusy) takeAll().catch(() => {}) // it never rejects
  }

  const lead = () => {
    const own = Math.max(term + 1, now())
    const tell = (message: FromLeader, to?: string) => {
      if (signal.aborted) return // it closed while it spoke
      const spoken = { ...message, term: own, to }
      if (to !== tab) channel.post(spoken)
      hearLeader(spoken)
    }
    const gone = (other: string, act: () => void) => {
      if (other === tab) return
      tabs.lock(`${name}-${other}`, { signal }, async () => act()).catch(() => {}) // this one went first
    }
    leader = Leader.make({ remote, follow, tell, gone })
    tell({ type: "leads" })
  }

  const claim = (steal: boolean) => {
    const own = new AbortController()
    claimed.abort()
    claimed = own
    const held = () => {
      if (claimed !== own || signal.aborted) return Promise.resolve()
      lead()
      return aborted(signal)
    }
    // What is stolen cannot be waited for as well.
    tabs.lock(name, steal ? { steal } : { signal: own.signal }, held).catch((failure: unknown) => {
      if (claimed !== own || signal.aborted) return
      if (!isStolen(failure)) return alone()
      // Deposed: it was silent for too long.
      leader?.close()
      leader = undefined
      claim(false)
      join()
    })
  }

  /** A leader that is silent may be frozen or stuck. */
  const watchLeader = () => {
    cancel()
    cancel = after(patience, () => {
      cancel = after(lastPatience * (1 + random()), () => claim(true))
      toLeader({ type: "ask" })
    })
  }

  const channel = tabs.channel(name, (message) => {
    if (isToLeader(message)) leader?.hear(message)
    else if (leader === undefined) hearLeader(message)
  })
  // Held for as long as it is there: the leader, which asks for it too, gets it when this tab is gone.
  const here = () => {
    if (!signal.aborted) {
      watchLeader()
      join()
      claim(false)
    }
    return aborted(signal)
  }
  tabs.lock(`${name}-${tab}`, { signal }, here).catch(() => {
    if (!signal.aborted) alone()
  })

  return {
    toLeader,
    token: () => token,
    leave: () => {
      if (signal.aborted) return
      toLeader({ type: "leave", tab })
      cancel()
      away.abort()
      claimed.abort()
      leader?.close()
      channel.close()
    }
  }
}
