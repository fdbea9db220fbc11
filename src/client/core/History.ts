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

/** One page towards the end of a gap. A page of another log, or an empty one, ends the paging with the rest lost. */
export const turn = (gap: Gap, page: Page): Turn => {
  const { after, epoch, next } = gap
  const events = page.epoch === epoch ? page.events.filter(({ seq }) => seq > after && seq < next) : []
  const first = events[0]?.seq ?? next
  const rest = { ...gap, after: events[events.length - 1]?.seq ?? next }
  return {
    // For whatever reason the gap was told, these events the log no longer has.
    lost: first > after + 1 ? { epoch, after, next: first, missed: first - 1 - after, reason: "retention" } : undefined,
    events,
    rest: isEmpty(rest) ? undefined : rest
  }
}
