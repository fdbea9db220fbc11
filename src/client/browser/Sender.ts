import * as Paths from "../../protocol/Paths.ts"
import * as Outbox from "../core/Outbox.ts"
import * as Remote from "./Remote.ts"

/** The message is in the session's log at `seq`. */
export interface Receipt {
  readonly id: string
  readonly session: string
  readonly seq: number
}

/** What became of a message; each has exactly one. */
export type SendResult =
  | { readonly type: "accepted"; readonly receipt: Receipt }
  /** 100 messages wait already: it was not taken. */
  | { readonly type: "refused"; readonly reason: "full" }
  /** Not stored. `status` is 0 when it was never posted: it is no JSON, or names no session. */
  | { readonly type: "failed"; readonly status: number; readonly code: string; readonly message: string }
  /** Given up when the client was. `mayBeStored`: it was posted at least once, and the answer is not known. */
  | { readonly type: "unsent"; readonly reason: "ended" | "failed" | "closed"; readonly mayBeStored: boolean }

interface Letter {
  readonly data: string
  readonly result: Promise<SendResult>
  readonly settle: (result: SendResult) => void
  tries: number
}

const keyOf = ({ id, session }: { readonly id: string; readonly session: string }): string => `${session} ${id}`

const receiptOf = (body: unknown): Receipt | undefined => {
  const id = Remote.field(body, "id")
  const session = Remote.field(body, "session")
  const seq = Remote.field(body, "seq")
  if (typeof id !== "string" || typeof session !== "string" || typeof seq !== "number") return undefined
  return { id, session, seq }
}

/** Posts messages in order, one in flight at a time, over whatever connection is the present one (design §8). */
export class Sender {
  private readonly remote: Remote.Remote
  private readonly controller = new AbortController()
  private readonly letters = new Map<string, Letter>()
  private outbox = Outbox.empty
  private token: string | undefined
  private cancelWait: (() => void) | undefined
  private over: "ended" | "failed" | "closed" | undefined

  constructor(remote: Remote.Remote) {
    this.remote = remote
  }

  /** Never rejects. `data` is JSON text; the same id again is the message that waits already. */
  send(message: Outbox.Message): Promise<SendResult> {
    if (this.over !== undefined) {
      return Promise.resolve({ type: "unsent", reason: this.over, mayBeStored: false })
    }
    const known = this.letters.get(keyOf(message))
    if (known !== undefined && known.data !== message.data) {
      const text = `the message id ${message.id} waits already with another content`
      return Promise.resolve({ type: "failed", status: 409, code: "CONFLICT", message: text })
    }
    if (known !== undefined) return known.result
    const added = Outbox.add(this.outbox, message)
    if (added === undefined) return Promise.resolve({ type: "refused", reason: "full" })
    let settle: (result: SendResult) => void = () => {}
    const result = new Promise<SendResult>((resolve) => {
      settle = resolve
    })
    this.letters.set(keyOf(message), { data: message.data, result, settle, tries: 0 })
    this.outbox = added
    this.pump()
    return result
  }

  /** The token of the present connection, or that there is none. */
  connected(token: string | undefined): void {
    this.token = token
    this.pump()
  }

  /** Nothing is posted from now on. Where the sessions have ended, the answer in flight is still waited for. */
  end(reason: "ended" | "failed" | "closed"): void {
    if (this.over === undefined || reason === "closed") this.over = reason
    this.cancelWait?.()
    if (reason !== "ended") this.controller.abort()
    const isWaitedFor = reason === "ended" && this.outbox.inFlight !== undefined
    for (const message of this.outbox.messages.slice(isWaitedFor ? 1 : 0)) this.giveUp(message, reason)
  }

  private pump(): void {
    this.cancelWait?.()
    this.cancelWait = undefined
    if (this.over !== undefined) return
    const { timers } = this.remote
    const now = timers.now()
    const next = Outbox.next(this.outbox, now, this.token)
    if (next._tag === "Wait") this.cancelWait = timers.after(next.until - now, () => this.pump())
    if (next._tag !== "Post" || this.token === undefined) return
    this.outbox = next.outbox
    this.post(next.message, this.token).catch(() => {}) // it never rejects
  }

  private async post(message: Outbox.Message, token: string): Promise<void> {
    const { data, id, session } = message
    const letter = this.letters.get(keyOf(message))
    if (letter === undefined) return
    letter.tries += 1
    const body = `{"id":${JSON.stringify(id)},"data":${data},"token":${JSON.stringify(token)}}`
    const call: Remote.Call = { method: "POST", path: `${Paths.session(session)}/messages`, body }
    const answer = await Remote.ask(this.remote, call, this.controller.signal)
    if (!this.letters.has(keyOf(message))) return // given up meanwhile
    const receipt = answer.type === "answered" ? receiptOf(answer.body) : undefined
    const isUnreadable = answer.type === "answered" && answer.status < 300 && receipt === undefined
    const { random, now } = this.remote.timers
    const told: Outbox.Answer =
      answer.type === "none" || isUnreadable ? { _tag: "NoAnswer" } : { _tag: "Answered", ...answer, token }
    const [outbox, verdict] = Outbox.answer(this.outbox, told, now(), random())
    this.outbox = outbox
    if (verdict === "Accepted" && receipt !== undefined) this.settle(message, { type: "accepted", receipt })
    if (verdict === "Failed" && answer.type === "answered") {
      const { code, message: text, status } = answer
      this.settle(message, { type: "failed", status, code, message: text })
    }
    if (verdict === "Again" && this.over !== undefined) this.giveUp(message, this.over)
    this.pump()
  }

  private giveUp(message: Outbox.Message, reason: "ended" | "failed" | "closed"): void {
    const tries = this.letters.get(keyOf(message))?.tries ?? 0
    this.settle(message, { type: "unsent", reason, mayBeStored: tries > 0 })
  }

  private settle(message: Outbox.Message, result: SendResult): void {
    this.letters.get(keyOf(message))?.settle(result)
    this.letters.delete(keyOf(message))
  }
}
