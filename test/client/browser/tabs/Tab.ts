import { Effect } from "effect"
import type * as BrowserClient from "../../../../src/client/browser/BrowserClient.ts"
import * as SharedConnection from "../../../../src/client/browser/tabs/SharedConnection.ts"
import * as Client from "../Client.ts"
import { hasty } from "../FakeTimers.ts"
import type { FakeBrowser } from "./FakeBrowser.ts"

type Options = Pick<BrowserClient.Options, "sessions"> & Partial<BrowserClient.Options>

const ofPage = (tab: ReturnType<FakeBrowser["tab"]>, type: string, more = {}) =>
  tab.page.dispatchEvent(Object.assign(new Event(type), more))

/** A tab with a client and all that it said, until its scope closes. */
const withClient =
  <C extends { readonly client: BrowserClient.BrowserClient }, E, R>(
    follow: (options: BrowserClient.Options) => Effect.Effect<C, E, R>
  ) =>
  (browser: FakeBrowser, url: string, options: Options) => {
    const tab = browser.tab(options.timers ?? hasty)
    const { fetch, page, tabs, timers } = tab
    const connection = SharedConnection.make(tabs)
    return Effect.map(follow({ url, connection, fetch, page, ...options, timers }), (followed) => ({
      ...followed,
      crash: tab.crash,
      freeze: tab.freeze,
      thaw: tab.thaw,
      close: followed.client.close,
      hide: () => ofPage(tab, "pagehide", { persisted: true }),
      show: () => ofPage(tab, "pageshow", { persisted: true }),
      goOffline: () => ofPage(tab, "offline"),
      goOnline: () => ofPage(tab, "online")
    }))
  }

/** Its app takes each item at once. */
export const open = withClient(Client.follow)

/** Its app takes nothing. */
export const openSlow = withClient(Client.connect)

export const lives = (count: number) => (items: ReadonlyArray<Client.Item>) =>
  items.filter(({ type }) => type === "live").length >= count

export const has = (session: string, last: string) => (items: ReadonlyArray<Client.Item>) =>
  Client.dataOf(items, session).at(-1) === last

/** The sessions that a stream was asked for. */
export const sessionsOf = (url: URL | undefined): ReadonlyArray<string> => url?.searchParams.getAll("session") ?? []
