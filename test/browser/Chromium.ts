import { Effect, Option } from "effect"
import { chromium } from "playwright-core"

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

/** A browser with a profile of its own, until the scope closes. */
const browser = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({
      executablePath: process.env["CHROME_BIN"] || "/usr/bin/chromium",
      args: flags,
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
  readonly reload: Effect.Effect<void>
  /** What went wrong in the page without being caught. */
  readonly errors: ReadonlyArray<string>
}

/** Looks at each frame, by the page's own clock: what playwright-core brings for this is against the page's policy. */
const awaited = (script: string) =>
  `new Promise((resolve) => {
    const look = () => (${script}) ? resolve() : requestAnimationFrame(look)
    look()
  })`

export const make = Effect.map(browser, (browser) => ({
  open: (url: string) =>
    Effect.gen(function* () {
      const page = yield* Effect.promise(() => browser.newPage())
      const errors: Array<string> = []
      page.on("pageerror", (error) => errors.push(error.message))
      yield* Effect.promise(() => page.goto(url))
      const opened: Page = {
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
        reload: Effect.promise(() => page.reload()).pipe(Effect.asVoid),
        errors
      }
      return opened
    })
}))
