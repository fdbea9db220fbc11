import { Effect, Option } from "effect"
import type { StoreError } from "../domain/SessionError.ts"
import * as Frame from "../protocol/Frame.ts"
import { EventStore, type Page } from "../store/EventStore.ts"
import * as Frames from "../store/Frames.ts"
import * as PageCache from "./PageCache.ts"
import type { SessionActor } from "./SessionActor.ts"

/** `single`: frames with an id each. `many`: wrapped events, for streams over several sessions. */
export type Form = "single" | "many"

/**
 * Events of a page. Over a single session: few, large writes. Over several: a quiet session waits for at most so many
 * events of a busy one (S94).
 */
const pageSize = { single: 500, many: 50 } as const

export interface LogReader {
  /** The frames after `after`, at most a page; `first` is above `after + 1` when retention removed what lies between. */
  readonly read: (actor: SessionActor, after: number, form: Form) => Effect.Effect<Option.Option<Page>, StoreError>
}

/** What a commit has stored but not reported yet is nobody's to read. */
const upTo = (page: Page, head: number): Option.Option<Page> => {
  if (page.last <= head) return Option.some(page)
  if (page.first > head) return Option.none()
  const bytes = Frames.bytes(page.frames)
  const end = Frame.offsetAfter(bytes, head - page.first + 1)
  return Option.some({ first: page.first, last: head, frames: Frames.concat([bytes.subarray(0, end)]) })
}

/** Reads logs for watchers that are behind, each page once for all who want it. */
export const make = (cacheBytes: number): Effect.Effect<LogReader, never, EventStore> =>
  Effect.map(EventStore, (store) => {
    const cache = PageCache.make(cacheBytes)

    const wrapped = ({ epoch, head, session }: SessionActor, after: number) =>
      Effect.map(
        store.readEvents(session, { after, before: head + 1, limit: pageSize.many, order: "asc" }),
        (events): Option.Option<Page> => {
          const [first] = events
          const last = events[events.length - 1]
          if (first === undefined || last === undefined) return Option.none()
          const text = events.map((event) => Frame.wrapped({ session, epoch, ...event })).join("")
          return Option.some({ first: first.seq, last: last.seq, frames: Frames.fromText(text) })
        }
      )

    return {
      read: (actor, after, form) =>
        Effect.suspend(() => {
          const { epoch, session } = actor
          const from = Math.max(after, actor.oldest - 1)
          const key = `${session} ${epoch} ${from} ${form}`
          const cached = cache.get(key)
          // A page that ended at a former head is short for ever: read again what has grown since.
          const isShort = cached?.wasHead === true && cached.page.last < actor.head
          if (cached !== undefined && !isShort) return Effect.succeed(upTo(cached.page, actor.head))
          const read = form === "single" ? store.readPage(session, from, pageSize.single) : wrapped(actor, from)
          return Effect.map(read, (page) => {
            // Deleted, and perhaps made anew, meanwhile: nothing of it is of the log that was asked for.
            if (Option.isNone(page) || actor.epoch !== epoch) return Option.none()
            const { first, last } = page.value
            const isFull = last - first + 1 >= pageSize[form]
            cache.set(key, { page: page.value, wasHead: !isFull && last >= actor.head })
            return upTo(page.value, actor.head)
          })
        })
    }
  })
