import { Effect } from "effect"
import * as BrowserClient from "../../../../src/client/browser/BrowserClient.ts"
import * as SharedConnection from "../../../../src/client/browser/tabs/SharedConnection.ts"
import type { Watch } from "../../../../src/client/browser/Watched.ts"
import type * as Client from "../Client.ts"
import { hasty } from "../FakeTimers.ts"
import type * as FakeBrowser from "./FakeBrowser.ts"

/** A tab whose app rests and takes as the story has it. */
export const open = (browser: FakeBrowser.FakeBrowser, url: string, watches: ReadonlyArray<Exclude<Watch, string>>) => {
  const tab = browser.tab(hasty)
  const { fetch, page, timers } = tab
  const client = BrowserClient.connect({
    url,
    sessions: watches,
    fetch,
    page,
    timers,
    connection: SharedConnection.make(tab.tabs)
  })
  const items: Array<Client.Item> = []
  let changed = () => {}
  let take = () => {}
  let rest = Promise.resolve()
  const run = async () => {
    for await (const item of client) {
      items.push(item)
      changed()
      await rest
    }
  }
  run().catch(() => {}) // no server refuses it
  const show = (type: string) => page.dispatchEvent(Object.assign(new Event(type), { persisted: true }))
  const has = (isSuch: () => boolean) =>
    Effect.async<void>((resume) => {
      changed = () => isSuch() && resume(Effect.void)
      changed()
    })
  const live = Effect.async<void>((resume) => {
    if (client.status.state === "live") return resume(Effect.void)
    client.onStatus(({ state }) => state === "live" && resume(Effect.void))
  })
  return {
    live,
    watches,
    items,
    has,
    close: client.close,
    crash: tab.crash,
    freeze: tab.freeze,
    thaw: tab.thaw,
    hide: () => show("pagehide"),
    show: () => show("pageshow"),
    rest: () => {
      take()
      rest = new Promise((resolve) => {
        take = resolve
      })
    },
    take: () => take()
  }
}

export type RestingTab = ReturnType<typeof open>
