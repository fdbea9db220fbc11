import { Context, Effect, Layer, Option } from "effect"
import { type BrowserContext, chromium, type Page as Opened } from "playwright-core"

/** No word to anyone but the server under test. */
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

interface Settings {
  readonly args?: ReadonlyArray<string>
  /** Of what playwright-core gives by itself. */
  readonly without?: ReadonlyArray<string>
}

/** A browser with a profile of its own, until the scope closes. */
const browser = ({ args = [], without = [] }: Settings) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launch({
        executablePath: process.env["CHROME_BIN"] || "/usr/bin/chromium",
        args: [...flags, ...args],
        ignoreDefaultArgs: [...without],
        handleSIGINT: false,
        handleSIGTERM: false
      })
    ),
    (browser) => Effect.promise(() => browser.close())
  )

/** A page at `url`, and what a test asks of it. Scripts are text: they run in the page, not here. */
export interface Page {
  readonly run: (script: string) => Effect.Effect<unknown>
  /** Returns as soon as `script` is true there. */
  readonly until: (script: string) => Effect.Effect<void>
  readonly fill: (selector: string, text: string) => Effect.Effect<void>
  readonly click: (selector: string) => Effect.Effect<void>
  readonly goto: (url: string) => Effect.Effect<void>
  readonly back: Effect.Effect<void>
  readonly reload: Effect.Effect<void>
  readonly close: Effect.Effect<void>
  /** The end of its process, of which no script hears. */
  readonly crash: Effect.Effect<void>
  /** What went wrong in the page without being caught. */
  readonly errors: ReadonlyArray<string>
}

/** Pages with cookies, storage and locks in common. */
export interface Tabs {
  readonly open: (url: string) => Effect.Effect<Page>
  /** Runs `script` in each document that is opened from now on, before its own scripts. */
  readonly before: (script: string) => Effect.Effect<void>
  readonly goOffline: Effect.Effect<void>
  readonly goOnline: Effect.Effect<void>
}

/** Looks at each frame, by the page's own clock: what playwright-core brings for this is against the page's policy. */
const awaited = (script: string) =>
  `new Promise((resolve) => {
    const look = () => (${script}) ? resolve() : requestAnimationFrame(look)
    look()
  })`

const pageOf = (page: Opened): Page => {
  const errors: Array<string> = []
  page.on("pageerror", (error) => errors.push(error.message))
  return {
    run: (script) => Effect.promise(() => page.evaluate(script)),
    until: (script) =>
      Effect.promise(() => page.evaluate(awaited(script))).pipe(
        Effect.timeoutOption("45 seconds"),
        Effect.flatMap(
          Option.match({
            onSome: () => Effect.void,
            onNone: () => Effect.dieMessage(`it never was true in the page: ${script}`)
          })
        )
      ),
    fill: (selector, text) => Effect.promise(() => page.fill(selector, text)),
    click: (selector) => Effect.promise(() => page.click(selector)),
    goto: (url) => Effect.promise(() => page.goto(url)).pipe(Effect.asVoid),
    // A page that was kept does not load again.
    back: Effect.promise(() => page.goBack({ waitUntil: "commit" })).pipe(Effect.asVoid),
    reload: Effect.promise(() => page.reload()).pipe(Effect.asVoid),
    close: Effect.promise(() => page.close()),
    crash: Effect.async<void>((resume) => {
      page.once("crash", () => resume(Effect.void))
      page.goto("chrome://crash").catch(() => {}) // it never arrives
    }),
    errors
  }
}

const tabsOf = (context: BrowserContext): Tabs => ({
  open: (url) =>
    Effect.gen(function* () {
      const opened = yield* Effect.promise(() => context.newPage())
      const page = pageOf(opened)
      yield* page.goto(url)
      return page
    }),
  before: (script) => Effect.promise(() => context.addInitScript(script)).pipe(Effect.asVoid),
  goOffline: Effect.promise(() => context.setOffline(true)),
  goOnline: Effect.promise(() => context.setOffline(false))
})

const launched = (settings: Settings = {}) =>
  Effect.map(browser(settings), (browser) => {
    const tabs = Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => browser.newContext()),
        (context) => Effect.promise(() => context.close())
      ),
      tabsOf
    )
    /** A page that has nothing in common with another. */
    const open = (url: string) => Effect.flatMap(tabs, (tabs) => tabs.open(url))
    return { open, tabs }
  })

export const make = launched()

/** A browser that several tests share: what one opens has nothing in common with what another does, and goes with its scope. */
class Chromium extends Context.Tag("test/browser/Chromium")<
  Chromium,
  Effect.Effect.Success<ReturnType<typeof launched>>
>() {}

export const layer = Layer.scoped(Chromium, make)

/** It keeps a page that was left as it is, for who goes back to it. */
export const layerWithBackForwardCache = Layer.scoped(
  Chromium,
  launched({ args: ["--enable-features=BackForwardCache"], without: ["--disable-back-forward-cache"] })
)

/** Tabs of the shared browser. */
export const tabs = Effect.flatMap(Chromium, ({ tabs }) => tabs)
