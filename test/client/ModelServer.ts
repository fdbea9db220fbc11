import * as ReplayPlan from "../../src/domain/ReplayPlan.ts"
import * as ControlFrame from "../../src/protocol/ControlFrame.ts"
import * as Cursor from "../../src/protocol/Cursor.ts"
import * as Frame from "../../src/protocol/Frame.ts"
import * as VectorCursor from "../../src/protocol/VectorCursor.ts"

/** One session as a server has it: event `seq` of `epoch` has the data `epoch.seq`. */
export interface Log {
  readonly epoch: string
  readonly oldest: number
  readonly head: number
}

const session = "s"
const greeting = { token: "t", heartbeat: 15, retry: 2000 }

/** What a connect over several sessions says until all are live, its pages in turns as a server writes them. */
export const replayMany = (
  logs: ReadonlyMap<string, Log>,
  asked: (session: string) => ReplayPlan.Position,
  cap: number,
  page: number
): string => {
  const plans = Array.from(logs, ([session, log]) => {
    const position = asked(session)
    return { session, log, position, plan: ReplayPlan.make(log, position, cap) }
  })
  const sessions = plans.map(({ log: { epoch, head, oldest }, plan, position, session }) => {
    const resumes = plan.mode === "resumed" && position._tag === "At"
    const cursor = Cursor.format({ epoch, seq: resumes ? position.cursor.seq : plan.after })
    return { session, epoch, cursor, oldest, head, mode: plan.mode }
  })
  const places = new Map(plans.map(({ log, position, session }) => [session, placeOf(log, position)]))
  let text = ControlFrame.hello({ ...greeting, sessions }, VectorCursor.format(places))
  for (const { log, plan, session } of plans) {
    const { head, oldest } = log
    if (plan.gap !== undefined) text += ControlFrame.gap({ session, ...plan.gap, oldest, head })
    places.set(session, { epoch: log.epoch, seq: plan.after })
  }
  let left = plans
  while (left.length > 0) {
    for (const { log, session } of left) {
      const { epoch, head } = log
      const from = places.get(session)?.seq ?? 0
      const to = Math.min(from + page, head)
      for (let seq = from + 1; seq <= to; seq++) {
        text += Frame.wrapped({
          session,
          epoch,
          seq,
          name: "n",
          data: `${epoch}.${seq}`,
          at: "2026-01-01T00:00:00.000Z"
        })
      }
      places.set(session, { epoch, seq: to })
      text += Frame.idOnly(VectorCursor.format(places))
      if (to === head) text += ControlFrame.live({ session, cursor: Cursor.format({ epoch, seq: head }) })
    }
    left = left.filter(({ log, session }) => (places.get(session)?.seq ?? 0) < log.head)
  }
  return text
}

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
