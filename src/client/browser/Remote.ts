import type { Timers } from "./Timers.ts"

/** A server, and how to reach it. `url` without the routes; a relative one is the page's. */
export interface Remote {
  readonly url: string
  readonly key: string | undefined
  readonly fetch: typeof fetch
  readonly timers: Timers
}
