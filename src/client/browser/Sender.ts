import * as Paths from "../../protocol/Paths.ts"
import * as Json from "../core/Json.ts"
import * as Outbox from "../core/Outbox.ts"
import * as Exchange from "./Exchange.ts"
import type { Remote } from "./Remote.ts"

/** The message is in the session's log at `seq`. */
export interface Receipt {
  readonly id: string
  readonly session: string
  readonly seq: number
}

/** `status` is 0 when nothing was posted: it is no JSON, or names no session. */
export interface Failed {
  readonly type: "failed"
  readonly status: number
  readonly code: string
  readonly message: string
}

/** Why nothing is sent any more. */
export type End = "ended" | "failed" | "closed"

/** What became of a message; each has exactly one. `failed`: the server refused it, at its last try. */
export type SendResult =
  | { readonly type: "accepted"; readonly receipt: Receipt }
  /** 100 messages wait already: it was not taken. */
  | { readonly type: "refused"; readonly reason: "full" }
  | Failed
  /** Given up when the client was. `mayBeStored`: it was posted at least once, and the answer is not known. */
  | { readonly type: "unsent"; readonly reason: End; readonly mayBeStored: boolean }

interface Letter extends Outbox.Message {
  readonly settle: (result: SendResult) => void
}

export const failed = ({ code, message, status }: Omit<Failed, "type">): Failed => ({
  type: "failed",
  status,
  code,
  message
})

/** `undefined` for what is no receipt. */
export const seqOf = ({ body, status }: Exchange.Answer): number | undefined =>
  (status < 300 && Json.whole(body["seq"])) || undefined

/**
 * Posts messages in order, one in flight at a time, over whatever connection is the present one (design §8). `renew` makes
 * another connection.
 */
export const make = (remote: Remote, signal: AbortSignal, renew: () => void) => {
  const { after, now, random } = remote.timers
  let outbox: Outbox.Outbox<Letter> = Outbox.empty
  let token: string | undefined
  let over: End | undefined
  let cancel = () => {}

  const post = async (letter: Letter) => {
    const named = token
    const { data, id, session } = letter
    const body = JSON.stringify({ id, data: JSON.parse(data), token: named })
    const answer = await Exchange.ask(remote, `${Paths.session(session)}/messages`, signal, body)
    if (!outbox.isPosting) return // given up meanwhile
    const seq = seqOf(answer)
    // A receipt that cannot be read is none.
    const heard = seq === undefined && answer.status < 300 ? Exchange.failed("no receipt") : answer
    const [next, verdict] = Outbox.answer(outbox, heard, now(), random())
    outbox = next
    if (verdict === "failed") letter.settle(failed(answer))
    else if (seq !== undefined) letter.settle({ type: "accepted", receipt: { id, session, seq } })
    else if (over !== undefined) giveUp(over)
    // One that was replaced meanwhile is not missed.
    if (verdict === "stale" && token === named) {
      token = undefined
      renew()
    }
    pump()
  }

  const giveUp = (reason: End, from = 0) => {
    outbox.messages.slice(from).forEach((letter, index) => {
      const mayBeStored = from + index === 0 && (outbox.isPosting || outbox.failures > 0)
      letter.settle({ type: "unsent", reason, mayBeStored })
    })
    outbox = { ...outbox, messages: outbox.messages.slice(0, from), isPosting: from > 0 }
  }

  const pump = () => {
    cancel()
    if (over !== undefined || token === undefined) return
    const next = Outbox.next(outbox, now())
    if (typeof next === "number") {
      cancel = after(next - now(), () => {
        outbox = { ...outbox, at: 0 } // whatever the clock says then
        pump()
      })
    } else if (next !== undefined) {
      outbox = Outbox.posting(outbox)
      post(next).catch(() => {}) // it never rejects
    }
  }

  return {
    /** Never rejects. `data` is JSON text. */
    send: (message: Outbox.Message): Promise<SendResult> =>
      new Promise((settle) => {
        if (over !== undefined) return settle({ type: "unsent", reason: over, mayBeStored: false })
        const added = Outbox.add(outbox, { ...message, settle })
        if (added === undefined) return settle({ type: "refused", reason: "full" })
        outbox = added
        pump()
      }),
    /** The token of the present connection, or that there is none. */
    connected: (present: string | undefined) => {
      token = present
      pump()
    },
    /** Nothing is posted from now on. Where the sessions have ended, the answer in flight is still waited for. */
    end: (reason: End) => {
      over = reason
      cancel()
      giveUp(reason, reason === "ended" && outbox.isPosting ? 1 : 0)
    }
  }
}
