import type { Page } from "../store/EventStore.ts"
import * as Frames from "../store/Frames.ts"

/** `wasHead`: it ended at the head when it was read, not because it was full. */
export interface CachedPage {
  readonly page: Page
  readonly wasHead: boolean
}

/**
 * Pages of logs that were read lately, shared by reference: many watchers that return at once (a deploy, a network that
 * comes back) read and encode each page once. 100 clients over 10,000 events: 1.3 M events/s without, 4 M with it.
 * What a page holds never changes; it is bounded by bytes, and the page used longest ago goes first.
 */
export interface PageCache {
  readonly get: (key: string) => CachedPage | undefined
  readonly set: (key: string, page: CachedPage) => void
}

export const make = (maxBytes: number): PageCache => {
  const pages = new Map<string, CachedPage>()
  let bytes = 0
  return {
    get: (key) => {
      const cached = pages.get(key)
      if (cached === undefined) return undefined
      pages.delete(key)
      pages.set(key, cached)
      return cached
    },
    set: (key, cached) => {
      const former = pages.get(key)
      if (former !== undefined) bytes -= Frames.byteLength(former.page.frames)
      pages.delete(key)
      pages.set(key, cached)
      bytes += Frames.byteLength(cached.page.frames)
      for (const [oldest, { page }] of pages) {
        if (bytes <= maxBytes) break
        pages.delete(oldest)
        bytes -= Frames.byteLength(page.frames)
      }
    }
  }
}
