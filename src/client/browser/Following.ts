import * as FrameDecoder from "../../protocol/FrameDecoder.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as Frames from "../core/Frames.ts"
import * as Readers from "../core/Readers.ts"
import * as Waits from "../core/Waits.ts"
import * as Exchange from "./Exchange.ts"
import type { Remote } from "./Remote.ts"
import type { Status } from "./Status.ts"
import { never } from "./Timers.ts"

/** Who asks for the server's last word about a stream once more gets the same. 204: every session has ended. */
const final = [204, 400, 401, 403, 404]

/** Who is fed. */
export interface Ears {
  /** Of the sessions that are to be watched. */
  readonly readers: () => Readers.Readers
  /** A piece of the stream. No more is read before it is done. */
  readonly receive: (said: ReadonlyArray<Frames.Said>) => Promise<void>
  /** `token`: of the connection, from its hello on. */
  readonly status: (status: Status, token?: string) => void
  /** Nothing follows. */
  readonly over: (answer: Exchange.Answer) => Promise<void>
}

/** Where what the server says comes from: a connection of one's own, or another tab's. */
export interface Feed {
  /** Time may have stood still: a dead connection is given up now, and a wait is cut to what the server asked for. */
  readonly hurry: () => void
  /** The present connection is of no use, for this reason. */
  readonly renew: (why: string) => void
  /** Holds no connection until it is thawed. */
  readonly freeze: (isFrozen: boolean) => void
  readonly close: () => void
}

export type Follow = (remote: Remote, ears: Ears) => Feed

/** Over as many connections as it takes, one at a time, until it is refused or closed. */
export const follow: Follow = (remote, ears) => {
  const { after, now, random } = remote.timers
  let connection: Exchange.Exchange | undefined
  let isClosed = false
  let isFrozen = false
  /** Connects in a row that did not get as far as hello. */
  let failures = 0
  /** Seconds. */
  let heartbeat = Frames.defaultHeartbeat
  /** Milliseconds: the server asks not to come back sooner. */
  let retry = 0
  /** Why there is no connection. */
  let reason = ""
  let notBefore = 0
  /** Moves the end of the present wait; `undefined` while there is none. */
  let wake: ((at: number) => void) | undefined
  let cancel = () => {}

  const receive = (frames: FrameDecoder.FrameDecoder) => (text: string) => {
    const said = frames.feed(text).flatMap(Frames.ofSeveral)
    for (const { message, session } of said) {
      if (session !== undefined) continue
      retry = message.retry
      if (message.type === "bye") reason = `goodbye (${message.reason})`
      if (message.type === "hello") {
        heartbeat = message.heartbeat
        failures = 0
        ears.status({ state: "replaying" }, message.token)
      }
    }
    return ears.receive(said)
  }

  const wait = (until: number) =>
    new Promise<void>((resolve) => {
      wake = (at) => {
        ears.status({ state: "offline", reason, nextTry: at })
        cancel()
        // Who listens to the status may have closed it.
        if (!isClosed) {
          cancel = after(at - now(), () => {
            wake = undefined
            resolve()
          })
        }
      }
      wake(until)
    })

  const hurry = () => {
    connection?.check()
    if (!isFrozen) wake?.(Math.max(notBefore, now()))
  }

  const run = async () => {
    for (;;) {
      const readers = ears.readers()
      const query = Array.from(readers.keys(), (session) => `&session=${session}`).join("")
      reason = ""
      ears.status({ state: "connecting" })
      if (isClosed) return
      connection = Exchange.open(remote, {
        path: `${Paths.manyStream}?from=head${query}`,
        lastId: Readers.places(readers),
        patience: () => Waits.patience(heartbeat),
        receive: receive(FrameDecoder.make())
      })
      const answer = await connection.done
      connection = undefined
      if (isClosed) return
      if (final.includes(answer.status)) return ears.over(answer)
      notBefore = now() + Math.max(retry, answer.retryAfter)
      const nextTry = notBefore + Waits.delay(failures++, random())
      reason ||= answer.message
      await wait(isFrozen ? never : nextTry)
    }
  }

  run().catch((bug: unknown) => ears.over(Exchange.failed(bug)))

  return {
    hurry,
    renew: (why) => connection?.abort(why),
    freeze: (frozen) => {
      isFrozen = frozen
      if (!frozen) return hurry()
      connection?.abort("frozen")
      wake?.(never)
    },
    close: () => {
      isClosed = true
      connection?.abort("")
      cancel()
    }
  }
}
