import type { Feed } from "./Following.ts"

const events = ["visibilitychange", "online", "offline", "pageshow", "pagehide"]

/** A page's window, to which all of its events bubble. In Node there is none, and nothing is heard. */
export const platform = (): EventTarget | undefined => {
  const page: unknown = globalThis
  return page instanceof EventTarget ? page : undefined
}

/** Tells the feed what happens to the page. The result ends it. */
export const listen = (page: EventTarget | undefined, { freeze, hurry, renew }: Feed): (() => void) => {
  const hear = (event: Event) => {
    if (event.type === "offline") renew("no network")
    else if ("persisted" in event && event.persisted) freeze(event.type === "pagehide")
    else hurry()
  }
  for (const name of events) page?.addEventListener(name, hear)
  return () => {
    for (const name of events) page?.removeEventListener(name, hear)
  }
}
