import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import type { Watch } from "../../../../src/client/browser/Watched.ts"
import * as Sluice from "../../../http/Sluice.ts"
import * as Client from "../Client.ts"
import * as FakeBrowser from "./FakeBrowser.ts"
import * as RestingTab from "./RestingTab.ts"

type Does = "close" | "crash" | "hide" | "show" | "rest" | "take" | "freeze" | "thaw"

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("open" as const),
      numbers: fc.uniqueArray(fc.nat({ max: 2 }), { minLength: 1 }),
      from: fc.constantFrom("start" as const, "head" as const, "cursor" as const)
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("append" as const),
      number: fc.nat({ max: 2 }),
      count: fc.integer({ min: 1, max: 5 })
    })
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("cut" as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 15 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("tab" as const),
      does: fc.constantFrom<Does>("close", "crash", "hide", "show", "rest", "take", "freeze", "thaw"),
      tab: fc.nat({ max: 9 })
    })
  }
)

const story = fc.record({
  steps: fc.array(step, { minLength: 5, maxLength: 30 }),
  /** How long messages and locks take. */
  turns: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 })
})

type Story = typeof story extends fc.Arbitrary<infer A> ? A : never

const turn = (count: number) =>
  Effect.promise(async () => {
    for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve))
  })

/** The number of its first event, where it can be known. */
const beginOf = (items: ReadonlyArray<Client.Item>, watch: Exclude<Watch, string>): number | undefined => {
  if (watch.from === "start") return 1
  if (typeof watch.from === "object") return watch.from.seq + 1
  // From the head it begins where the stream was then, which `live` may tell first.
  const first = items.find(({ session }) => session === watch.session)
  return first?.type === "live" ? (first.cursor?.seq ?? 0) + 1 : undefined
}

const play = (sluice: Sluice.Sluice, name: string, { steps, turns }: Story) =>
  Effect.gen(function* () {
    let taken = 0
    const browser = FakeBrowser.make({ turns: () => turns[taken++ % turns.length] ?? 1 })
    const logs = [0, 1, 2].map((number) => ({ session: `${name}-${number}`, epoch: "", head: 0 }))
    const tabs: Array<RestingTab.RestingTab> = []
    const gone = new Set<RestingTab.RestingTab>()

    const append = (log: (typeof logs)[number] | undefined, count: number) =>
      Effect.gen(function* () {
        if (log === undefined) return
        const { epoch, last } = yield* sluice.add(log.session, { events: Sluice.numbered(log.head + 1, count) })
        Object.assign(log, { epoch, head: last })
      })

    for (const step of steps) {
      if (step.type === "turn") yield* turn(step.count)
      if (step.type === "append") yield* append(logs[step.number], step.count)
      if (step.type === "cut") browser.cut()
      if (step.type === "open") {
        const watches = step.numbers.flatMap((number) => {
          const { epoch, head, session } = logs[number] ?? assert.fail()
          const cursor = { epoch, seq: Math.floor(head / 2) }
          return [{ session, from: step.from !== "cursor" ? step.from : head === 0 ? "head" : cursor } as const]
        })
        tabs.push(RestingTab.open(browser, sluice.url, watches))
      }
      if (step.type === "tab") {
        const tab = tabs[step.tab % tabs.length]
        if (tab === undefined || gone.has(tab)) continue
        tab[step.does]()
        if (step.does === "close" || step.does === "crash") gone.add(tab)
      }
    }

    const present = tabs.filter((tab) => !gone.has(tab))
    for (const { thaw } of tabs) thaw()
    for (const { show, take } of present) {
      show()
      take()
    }
    // Those at the head have begun when they are live.
    for (const { live } of present) yield* live
    for (const log of logs) yield* append(log, 1)
    for (const { has, items, watches } of present) {
      for (const watch of watches) {
        const last = `${logs.find(({ session }) => session === watch.session)?.head}`
        yield* has(() => Client.dataOf(items, watch.session).includes(last))
        const seqs = Client.eventsOf(items, watch.session).map(({ seq }) => seq)
        const begin = beginOf(items, watch) ?? seqs[0] ?? 0
        assert.deepEqual(seqs.map(String), Sluice.range(begin, Number(last)))
      }
      assert.ok(items.every(({ type }) => type !== "gap"))
    }
    assert.ok(browser.most() <= 1, `${browser.most()} streams at a time`)
    for (const { close } of present) close()
    yield* browser.until(() => browser.left().locks === 0)
    assert.deepEqual(browser.left(), { locks: 0, channels: 0, streams: 0 })
  })

describe("tabs that come, go, crash, rest and lose their connection at random", () => {
  it.scopedLive("hear all of their sessions from where they began, once and in order, over one connection", () =>
    Effect.gen(function* () {
      const sluice = yield* Sluice.make()
      let plays = 0
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(story, (story) => Effect.runPromise(play(sluice, `${plays++}`, story))),
          {
            numRuns: 100,
            seed: 11,
            interruptAfterTimeLimit: 15_000,
            markInterruptAsFailure: true
          }
        )
      )
    })
  )
})
