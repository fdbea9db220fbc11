import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as ControlFrame from "../../src/protocol/ControlFrame.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as Frame from "../../src/protocol/Frame.ts"

/** One session as a server has it: event `seq` of `epoch` has the data `epoch.seq`. */
export interface Log {
  readonly epoch: string
  readonly oldest: number
  readonly head: number
}

const session = "s"

/** Where the reader says that it is: the id of hello. */
const placeOf = ({ epoch, head }: Log, asked: ReplayPlan.Position): Cursor.Cursor =>
  asked._tag === "At" ? asked.cursor : { epoch, seq: asked._tag === "Start" ? 0 : head }

/** What one connection says until it is live, written with the server's own encoders and by its own plan. */
export const replay = (log: Log, asked: ReplayPlan.Position, cap: number): string => {
  const { epoch, head, oldest } = log
  const plan = ReplayPlan.make(log, asked, cap)
  const begin = Cursor.format({ epoch, seq: plan.after })
  const resumes = plan.mode === "resumed" && asked._tag === "At"
  const cursor = resumes ? Cursor.format({ epoch, seq: asked.cursor.seq }) : begin
  const greeting = { token: "t", heartbeat: 15, retry: 2000 }
  const body = { ...greeting, session, epoch, cursor, oldest, head, mode: plan.mode }
  const hello = ControlFrame.hello(body, Cursor.format(placeOf(log, asked)))
  const gap = plan.gap === undefined ? "" : ControlFrame.gap({ session, ...plan.gap, oldest, head }, begin)
  const live = ControlFrame.live({ session, cursor: Cursor.format({ epoch, seq: head }) })
  return hello + gap + events(log, plan.after, head) + live
}

/** The frames of events `after` < seq <= `last`. */
export const events = ({ epoch }: Log, after: number, last: number): string =>
  Array.from({ length: last - after }, (_, index) => {
    const seq = after + 1 + index
    return Frame.event(epoch, seq, seq % 3 === 0 ? "named" : "message", `${epoch}.${seq}`)
  }).join("")
