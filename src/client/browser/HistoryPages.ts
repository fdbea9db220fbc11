import * as Backoff from "../../protocol/Backoff.ts"
import * as Paths from "../../protocol/Paths.ts"
import * as History from "../core/History.ts"
import type { Event, Gap } from "../core/Reader.ts"
import * as Item from "./Item.ts"
import * as Remote from "./Remote.ts"
import { sleep } from "./Waiting.ts"

/** Both bounds are outside; without `before`, up to the head as it is when the first page is read. */
export interface Range {
  readonly after?: number
  readonly before?: number
}

/** A page could not be had: `status` 0 when no answer came, or the client was closed (`CLOSED`). */
export class HistoryFailed extends Error {
  override readonly name = "HistoryFailed"
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

const backoff: Backoff.Backoff = { base: 500, max: 30_000 }

/** Of one page, before its failure is told. */
const maxTries = 5

const isEvent = (value: unknown): value is Event =>
  typeof Remote.field(value, "seq") === "number" &&
  typeof Remote.field(value, "name") === "string" &&
  typeof Remote.field(value, "data") === "string"

interface Body extends History.Page {
  readonly head: number
}

const bodyOf = (body: unknown): Body | undefined => {
  const epoch = Remote.field(body, "epoch")
  const events = Remote.field(body, "events")
  const head = Remote.field(body, "head")
  if (typeof epoch !== "string" || typeof head !== "number" || !Array.isArray(events)) return undefined
  return events.every(isEvent) ? { epoch, events, head } : undefined
}

const isTemporary = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500

/** One page. Tried again up to 5 times where that may help; rejects with `HistoryFailed` then. */
const read = async (remote: Remote.Remote, path: string, signal: AbortSignal): Promise<Body> => {
  for (let tries = 1; ; tries++) {
    const answer = await Remote.ask(remote, { method: "GET", path }, signal)
    if (signal.aborted) throw new HistoryFailed(0, "CLOSED", "the client was closed")
    const isAnswered = answer.type === "answered"
    const body = isAnswered && answer.status === 200 ? bodyOf(answer.body) : undefined
    if (body !== undefined) return body
    const status = isAnswered ? answer.status : 0
    const mayHeal = status === 0 || status === 200 || isTemporary(status)
    if (!mayHeal || tries === maxTries) {
      throw new HistoryFailed(status, isAnswered ? answer.code : "NO_ANSWER", answer.message)
    }
    const floor = isAnswered ? answer.retryAfter : 0
    await sleep(remote.timers, Backoff.delay(backoff, tries - 1, remote.timers.random(), floor), signal)
  }
}

const pathOf = (session: string, after: number, before: number | undefined): string =>
  `${Paths.events(session)}?after=${after}&limit=${History.pageLimit}${before === undefined ? "" : `&before=${before}`}`

const pageOf = (session: string, { epoch }: Gap, { events, lost }: History.Turn): ReadonlyArray<Item.HistoryPage> =>
  lost === undefined && events.length === 0
    ? []
    : [{ session, epoch, lost, events: events.map((event) => Item.event(session, epoch, event)) }]

/** The pages of a gap, asked for as they are taken. Of another log than the gap's, nothing comes but what is lost. */
export async function* ofGap(
  remote: Remote.Remote,
  session: string,
  gap: Gap,
  signal: AbortSignal
): AsyncGenerator<Item.HistoryPage, void, undefined> {
  let rest = History.isEmpty(gap) ? undefined : gap
  while (rest !== undefined) {
    const turn = History.turn(rest, await read(remote, pathOf(session, rest.after, rest.next), signal))
    yield* pageOf(session, gap, turn)
    rest = turn.rest
  }
}

/** The same of any part of the log. */
export async function* ofRange(
  remote: Remote.Remote,
  session: string,
  { after = 0, before }: Range,
  signal: AbortSignal
): AsyncGenerator<Item.HistoryPage, void, undefined> {
  const first = await read(remote, pathOf(session, after, before), signal)
  const next = Math.min(before ?? first.head + 1, first.head + 1)
  const gap: Gap = { epoch: first.epoch, after, next, missed: next - 1 - after, reason: "retention" }
  if (History.isEmpty(gap)) return
  const turn = History.turn(gap, first)
  yield* pageOf(session, gap, turn)
  if (turn.rest !== undefined) yield* ofGap(remote, session, turn.rest, signal)
}
