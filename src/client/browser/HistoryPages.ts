import * as Paths from "../../protocol/Paths.ts"
import * as Frames from "../core/Frames.ts"
import * as History from "../core/History.ts"
import { isTemporary } from "../core/Outbox.ts"
import * as Waits from "../core/Waits.ts"
import * as Json from "../core/Json.ts"
import type { Gap } from "../core/Reader.ts"
import * as Exchange from "./Exchange.ts"
import type * as Item from "./Item.ts"
import type { Remote } from "./Remote.ts"
import { RequestFailed } from "./RequestFailed.ts"

/** Both bounds are outside; without `before`, up to the head as it is when the first page is read. */
export interface Range {
  readonly after?: number
  readonly before?: number
}

/** Of one page, before its failure is told. */
const maxTries = 5

interface Body extends History.Page {
  readonly head: number
}

/** One page. Tried again up to 5 times where that may help. */
const read = async (remote: Remote, path: string, signal: AbortSignal): Promise<Body> => {
  const { after, random } = remote.timers
  for (let tries = 1; ; tries++) {
    const answer = await Exchange.ask(remote, path, signal)
    const { body, retryAfter, status } = answer
    const epoch = Json.text(body["epoch"])
    if (status === 200 && epoch !== "") {
      const events = Json.list(body["events"]).map(Frames.event)
      return { epoch, events, head: Json.whole(body["head"]) }
    }
    const mayHeal = status === 200 || isTemporary(status)
    if (!mayHeal || tries === maxTries) throw new RequestFailed(answer)
    let cancel = () => {}
    const pause = new Promise<void>((resolve) => {
      cancel = after(Waits.delay(tries - 1, random(), retryAfter), resolve)
    })
    await Exchange.untilAborted(signal, pause).catch(cancel)
  }
}

/** Of the present log, to where its head is when the first page is read. */
export const ofRange = ({ after = 0, before = Number.MAX_SAFE_INTEGER }: Range): Gap => ({
  epoch: "",
  after,
  next: before,
  missed: null,
  reason: "retention"
})

/** The pages of a gap, asked for as they are taken. Rejects with `RequestFailed`. */
export async function* pages(
  remote: Remote,
  session: string,
  signal: AbortSignal,
  gap: Gap
): AsyncGenerator<Item.HistoryPage, void, undefined> {
  let rest = History.isEmpty(gap) ? undefined : gap
  while (rest !== undefined) {
    const path = `${Paths.events(session)}?limit=${History.pageLimit}&after=${rest.after}&before=${rest.next}`
    const page = await read(remote, path, signal)
    const epoch = rest.epoch || page.epoch
    const known = rest.epoch === "" ? { ...rest, epoch, next: Math.min(rest.next, page.head + 1) } : rest
    // Of another log than the gap's, nothing comes but what is lost.
    const turn: History.Turn = History.turn(known, page)
    const events = turn.events.map((event) => ({ ...event, type: "event", session, epoch }) as const)
    if (turn.lost !== undefined || events.length > 0) yield { session, epoch, lost: turn.lost, events }
    rest = turn.rest
  }
}
