import { Effect } from "effect"
import type { Watch } from "../../../../src/client/browser/Watched.ts"
import * as FakeTimers from "../FakeTimers.ts"
import * as ScriptedFetch from "../ScriptedFetch.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as Tab from "./Tab.ts"

export const url = "http://sluice.example"

/** A browser over a scripted network, in a time that stands still. */
export const make = (random?: () => number) => {
  const timers = FakeTimers.make(random)
  const network = ScriptedFetch.make()
  const browser = FakeBrowser.make({ fetch: network.fetch })
  const open = (watch: Watch = "s") => Tab.open(browser, url, { sessions: [watch], timers })
  const openSlow = (watch: Watch = "s") => Tab.openSlow(browser, url, { sessions: [watch], timers })

  /** The stream of this number is there, and has said hello. */
  const begin = (index: number, head: number, token = "t") =>
    Effect.gen(function* () {
      const stream = yield* network.request(index)
      stream.open()
      yield* stream.write(hello(head, token))
      return stream
    })

  return { timers, network, browser, open, openSlow, begin, ...network } as const
}

const hello = (head: number, token: string): string =>
  ScriptedFetch.hello(head).replace('"token":"t"', `"token":"${token}"`)

/** Of a session that does not exist. */
export const helloOfNone: string = ScriptedFetch.hello(0).replace(
  '"epoch":"e","cursor":"e.0"',
  '"epoch":null,"cursor":null'
)

export const end = (head: number): string =>
  `event: sluice.end\ndata: ${JSON.stringify({ session: "s", cursor: `e.${head}`, reason: "ended" })}\n\n`

/** A page of the history. */
export const page = (first: number, last: number, head = last): Response => {
  const count = last - first + 1
  const events = Array.from({ length: count }, (_, index) => ({
    seq: first + index,
    name: "message",
    data: `${first + index}`
  }))
  return new Response(JSON.stringify({ session: "s", epoch: "e", oldest: 1, head, events }))
}
