import { type Feed, type Follow, follow } from "../Following.ts"
import type { Remote } from "../Remote.ts"
import * as Member from "./Member.ts"
import * as Tabs from "./Tabs.ts"

/** Changes with the messages, so that tabs with two versions of this code do not share. */
const version = 1

/** Tabs with the same name share: the same server, asked with the same key. */
const nameOf = async ({ key, url }: Remote, { base, digest }: Tabs.Tabs): Promise<string> => {
  const server = new URL(`${url.replace(/\/+$/, "")}/`, base).href
  return `sluice-${version}-${await digest(JSON.stringify([server, key]))}`
}

/** One connection for all tabs of a browser; where tabs cannot agree, one of its own. */
export const make =
  (tabs: Tabs.Tabs | undefined): Follow =>
  (remote, ears) => {
    if (tabs === undefined) return follow(remote, ears)
    let own: Feed | undefined
    let shared: ReturnType<typeof Member.make> | undefined
    let name: string | undefined
    let isClosed = false
    let isFrozen = false

    const leave = () => {
      shared?.leave()
      shared = undefined
    }

    const alone = () => {
      leave()
      if (isClosed || own !== undefined) return
      own = follow(remote, ears)
      // Who listens to the status may have closed it.
      if (isClosed) return own.close()
      if (isFrozen) own.freeze(true)
    }

    const enter = () => {
      const isAway = () => isClosed || isFrozen || own !== undefined || shared !== undefined
      if (isAway() || name === undefined) return
      ears.status({ state: "connecting" })
      if (!isAway()) shared = Member.make(remote, ears, tabs, name, alone)
    }

    nameOf(remote, tabs)
      .then((found) => {
        name = found
        enter()
      })
      .catch(alone)

    return {
      hurry: () => (own ? own.hurry() : shared?.toLeader({ type: "hurry" })),
      renew: (why) => (own ? own.renew(why) : shared?.toLeader({ type: "renew", token: shared.token(), why })),
      freeze: (frozen) => {
        isFrozen = frozen
        own?.freeze(frozen)
        if (frozen) leave()
        else enter()
      },
      close: () => {
        isClosed = true
        own?.close()
        leave()
      }
    }
  }

/** All tabs of a browser that follow the same server with the same key have one connection, in one of them (design §8). */
export const sharedConnection: Follow = (remote, ears) => make(Tabs.platform())(remote, ears)
