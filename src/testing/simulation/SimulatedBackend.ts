import { Effect, Option, Schema } from "effect"
import type { Carrier } from "../../callback/Transport.ts"
import type { SeededScheduler } from "./SeededScheduler.ts"

type Call = Parameters<Carrier["dispatch"]>[3]

/** How the backend answers. `hangs`: nothing comes; `stops`: a head of 200, and then nothing; `breaks off`: in the body. */
export const manners = ["accepts", "refuses", "hangs", "stops", "breaks off", "unreachable"] as const
export type Manner = (typeof manners)[number]

/** A call that was written to the backend, and what became of it as the backend knows it. */
export interface Heard {
  readonly action: "connect" | "disconnect" | "message"
  readonly token: string
  readonly reason: string | undefined
  readonly manner: Manner
  /** By number: a server that was started after a crash or a stop has the next one. */
  readonly server: number
  /** The server has the whole answer. */
  isAnswered: boolean
}

const decode = Schema.decodeUnknownOption(
  Schema.parseJson(
    Schema.Struct({
      action: Schema.Literal("connect", "disconnect", "message"),
      token: Schema.NullOr(Schema.String),
      reason: Schema.optional(Schema.String),
      request: Schema.optional(Schema.Struct({ url: Schema.String }))
    })
  )
)

const status = (manner: Manner): number => (manner === "refuses" ? 403 : 200)

/** The application behind the gateway, and the network before it. It outlives every server. */
export class SimulatedBackend {
  /** From now on; of connects, and of all else. */
  connects: Manner = "accepts"
  others: Manner = "accepts"
  /** What a yes binds: JSON, by the URL of the client's request. */
  answer: (url: string) => unknown = () => ({})
  readonly heard: Array<Heard> = []
  onChange: (line: string) => void = () => {}

  /** The sockets to it of one server. */
  carrier(scheduler: SeededScheduler, server: number, reached: (isReachable: boolean) => void): Effect.Effect<Carrier> {
    return Effect.succeed({
      dispatch: (_path, _headers, body, call) =>
        scheduler.arrive(() => this.take(scheduler, server, reached, body, call))
    })
  }

  private take(
    scheduler: SeededScheduler,
    server: number,
    reached: (isReachable: boolean) => void,
    body: string,
    call: Call
  ) {
    const said = Option.getOrUndefined(decode(body))
    if (said === undefined) return
    const manner = said.action === "connect" ? this.connects : this.others
    reached(manner !== "unreachable")
    let isAborted = false
    let isOver = false
    const fail = (message: string) => {
      if (isOver) return
      isOver = true
      call.onResponseError?.(controller, new Error(message))
    }
    const controller = {
      get aborted() {
        return isAborted
      },
      get paused() {
        return false
      },
      get reason() {
        return null
      },
      abort: () => {
        isAborted = true
        scheduler.arrive(() => fail("aborted"))
      },
      pause: () => {},
      resume: () => {}
    }
    if (manner === "unreachable") return fail("connect ECONNREFUSED")
    call.onRequestStart?.(controller, undefined)
    if (isAborted) return
    const heard: Heard = {
      action: said.action,
      token: said.token ?? "",
      reason: said.reason,
      manner,
      server,
      isAnswered: false
    }
    this.heard.push(heard)
    this.onChange(`backend hears ${said.action} ${heard.token.slice(0, 8)} ${said.reason ?? ""} and ${manner}`)
    if (manner === "hangs") return
    const step = (next: () => void) =>
      scheduler.arrive(() => {
        if (!isAborted && !isOver) next()
      })
    step(() => {
      call.onResponseStart?.(controller, status(manner), {}, "")
      if (manner === "refuses") return end()
      step(() => {
        const text = said.action === "connect" ? JSON.stringify(this.answer(said.request?.url ?? "")) : "{}"
        const sent = manner === "accepts" ? text : text.slice(0, 1)
        call.onResponseData?.(controller, Buffer.from(sent))
        if (manner === "breaks off") return fail("socket hang up")
        if (manner === "accepts") step(end)
      })
    })
    const end = () => {
      isOver = true
      heard.isAnswered = true
      call.onResponseEnd?.(controller, {})
    }
  }
}
