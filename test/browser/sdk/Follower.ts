import * as assert from "node:assert/strict"
import { Effect, Schema } from "effect"
import * as Requests from "../../scenarios/Requests.ts"
import type { Page } from "../Chromium.ts"

export interface Options {
  readonly from?: "start" | "head"
  readonly isShared?: boolean
  /** The name of a storage in IndexedDB. */
  readonly storage?: string
  /** It is not done with this event: it asks for nothing behind it. */
  readonly stopsAt?: string
  /** Its waits of at most so many milliseconds, such as between two connections, take that much less. */
  readonly hasty?: { readonly upTo: number; readonly by: number }
  /** More options of `connect`, as a script. */
  readonly more?: string
}

const hastyTimers = ({ by, upTo }: NonNullable<Options["hasty"]>) => `timers: {
  now: Date.now,
  random: () => 0,
  after: (millis, act) => {
    const timer = setTimeout(act, millis > ${upTo} ? Math.min(millis, 2 ** 31 - 1) : millis / ${by})
    return () => clearTimeout(timer)
  }
},`

/** What a plain page does with the SDK, on the session `s`: it notes all that it hears. */
const script = ({ from, hasty, isShared = false, more = "", stopsAt, storage }: Options) => `(async () => {
  const sluice = window.sluice = await import("/client.js")
  const options = {
    url: "",
    sessions: [{ session: "s", ${from === undefined ? "" : `from: "${from}"`} }],
    ${isShared ? "connection: sluice.sharedConnection," : ""}
    ${hasty === undefined ? "" : hastyTimers(hasty)}
    ${more}
  }
  window.seen = []
  window.others = []
  const client = window.client = ${
    storage === undefined
      ? "sluice.connect(options)"
      : `await sluice.connectPersistent(sluice.indexedDbStorage("${storage}"), options)`
  }
  window.states = [client.status.state]
  window.reasons = []
  client.onStatus(({ reason, state }) => {
    states.push(state)
    if (state === "offline") reasons.push(reason)
  })
  window.follow = async () => {
    for await (const item of client) {
      if (item.type !== "event") others.push(item.type)
      else {
        const { data, epoch, name, seq } = item
        seen.push({ data, epoch, name, seq })
        if (data === ${JSON.stringify(stopsAt)}) return
      }
    }
  }
  follow() // what it throws is an error of the page
})()`

const decodeSeen = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ data: Schema.String, epoch: Schema.String, name: Schema.String, seq: Schema.Int }))
)
const decodeTexts = Schema.decodeUnknownSync(Schema.Array(Schema.String))

/** All that there was has come. */
export const isLive = `client.status.state === "live"`

/** A page of the server's origin, with a client in it that connects now. */
export const start = (page: Page, options: Options = {}) =>
  Effect.gen(function* () {
    yield* page.run(script(options))
    const seen = Effect.map(page.run("seen"), decodeSeen)
    const data = Effect.map(seen, (events) => events.map(({ data }) => data))
    return {
      page,
      seen,
      data,
      /** Of the status, in order. */
      states: Effect.map(page.run("states"), decodeTexts),
      live: page.until(isLive),
      offline: page.until(`client.status.state === "offline"`),
      sees: (data: string) => page.until(`seen.at(-1)?.data === ${JSON.stringify(data)}`),
      /** Waits for some more than it has. */
      seesMore: Effect.flatMap(page.run("seen.length"), (had) => page.until(`seen.length > ${Number(had)} + 20`)),
      /** It has got all of the session, each event once and in order, and was told of nothing that it should ask for. */
      assertWhole: (server: { readonly url: string }) =>
        Effect.gen(function* () {
          const { epoch, events } = yield* Requests.history(server, "s")
          yield* page.until(`seen.length >= ${events.length}`)
          assert.deepEqual(
            yield* seen,
            events.map(({ data, name, seq }) => ({ data, epoch, name, seq }))
          )
          assert.deepEqual(yield* page.run(`others.filter((type) => type !== "live")`), [])
          assert.deepEqual(page.errors, [])
        })
    } as const
  })

export type Follower = Effect.Effect.Success<ReturnType<typeof start>>

/** A new page at `url`, and `start`. */
export const opened = (
  { open }: { readonly open: (url: string) => Effect.Effect<Page> },
  url: string,
  options: Options = {}
) =>
  Effect.gen(function* () {
    const follower = yield* start(yield* open(url), options)
    yield* follower.live
    return follower
  })
