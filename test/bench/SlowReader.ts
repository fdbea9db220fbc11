/** One reader of a hundred never reads. The others must not feel it. */
import * as Paths from "../../src/protocol/Paths.ts"
import type { HotPath, Outcome, Server } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"

const others = 99
const size = 4096
/** Blocks of publishes, with and without the slow reader in turn, so that what drifts drifts for both. */
const blocks = 4
const publishes = 12
/** Twice what a connection on loopback takes up by itself: from there on it is the server that has to wait. */
const posts = { count: 8, body: { events: 16, size: 65_536 } }

interface Audience {
  readonly readers: Readers.Readers
  readonly marked: Buffer
}

let runs = 0

const gather = async (server: Server, session: string): Promise<Audience> => ({
  readers: await Readers.open(server, { count: others, pathOf: () => Paths.stream(session) }),
  marked: Producers.request(session, { isMarked: true, size })
})

/** Milliseconds from a publish until the last of the others has it, for each of a block. */
const block = async (producers: Producers.Producers, { marked, readers }: Audience): Promise<ReadonlyArray<number>> => {
  const delays: Array<number> = []
  for (let i = 0; i < publishes; i++) {
    const began = performance.now()
    await Promise.all([readers.marked(readers.marks() + others), producers.post(marked)])
    delays.push(performance.now() - began)
  }
  return delays
}

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const slowReader = async (server: Server): Promise<Outcome> => {
  const id = ++runs
  const producers = await Producers.open(server, 1)
  await producers.post(Producers.request(`slow-${id}`))
  await producers.post(Producers.request(`quick-${id}`))
  const drop = await Readers.openSilent(server, Paths.stream(`slow-${id}`))
  await Readers.pause(50)
  const filling = Producers.request(`slow-${id}`, posts.body)
  for (let i = 0; i < posts.count; i++) await producers.post(filling)
  const slow = await gather(server, `slow-${id}`)
  const quick = await gather(server, `quick-${id}`)
  await Readers.pause(50)
  await block(producers, slow)
  await block(producers, quick)
  const withIt: Array<number> = []
  const without: Array<number> = []
  for (let i = 0; i < blocks; i++) {
    without.push(...(await block(producers, quick)))
    withIt.push(...(await block(producers, slow)))
  }
  drop()
  producers.close()
  await Promise.all([slow.readers.close(), quick.readers.close()])
  return { value: median(withIt) / median(without) }
}

export const measures: HotPath = [
  {
    says: "delay of 99 readers with / without a slow one",
    unit: "ratio",
    better: "less",
    baselines: ["raw"],
    against: ["process"],
    note: "Slow reader: median time from a publish of 4 KiB until 99 readers have it, beside one that never reads and is 8 MiB behind, by the same without it. All columns are that ratio, of each server alone; 1.00 is right. With process alone: a disk that is waited for would hide what the reader costs.",
    isRatio: true,
    run: slowReader
  }
]
