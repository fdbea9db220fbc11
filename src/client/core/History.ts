import type { Event, Gap } from "./Reader.ts"

/** The most events of one page (contract §2). */
export const pageLimit = 1000

/** `GET events?after=&before=&limit=`: both bounds are outside. */
export interface Page {
  readonly epoch: string
  readonly events: ReadonlyArray<Event>
}

/** What a page gave: events in order, what cannot be had any more before them, and what is still to be asked for. */
export interface Turn {
  readonly lost: Gap | undefined
  readonly events: ReadonlyArray<Event>
  readonly rest: Gap | undefined
}

/** Whether paging can bring anything: an `ahead` gap, or one at the log's start, has no events between. */
export const isEmpty = (gap: Gap): boolean => gap.next - gap.after <= 1

/** Events that the log no longer has, for whatever reason the gap was told. */
const lost = (gap: Gap, next: number): Gap => ({
  epoch: gap.epoch,
  after: gap.after,
  next,
  missed: next - 1 - gap.after,
  reason: "retention"
})

/** One page towards the end of a gap. A page of another log, or an empty one, ends the paging with the rest lost. */
export const turn = (gap: Gap, page: Page): Turn => {
  const events = page.epoch === gap.epoch ? page.events.filter(({ seq }) => seq > gap.after && seq < gap.next) : []
  const [first] = events
  const last = events[events.length - 1]
  if (first === undefined || last === undefined) return { lost: lost(gap, gap.next), events: [], rest: undefined }
  const rest = { ...gap, after: last.seq }
  return {
    lost: first.seq > gap.after + 1 ? lost(gap, first.seq) : undefined,
    events,
    rest: isEmpty(rest) ? undefined : rest
  }
}
