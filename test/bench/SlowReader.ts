/** One reader of a hundred never reads. The others must not feel it. */
import type { HotPath, Outcome, Server } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"

const others = 99
const publishes = 100
const size = 4096
/** More than sockets take up, so that from there on the server itself has to wait for the silent one. */
const backlog = { events: 64, size: 65_536 }

let runs = 0

interface Publishing {
  readonly post: (request: Buffer) => Promise<void>
  readonly readers: Readers.Readers
  readonly session: string
}

/** Milliseconds from a publish until the last of the others has it, on average. */
const delay = async ({ post, readers, session }: Publishing, marksBefore: number): Promise<number> => {
  const request = Producers.request(session, { isMarked: true, size })
  const began = performance.now()
  for (let published = 1; published <= publishes; published++) {
    await Promise.all([readers.marked(marksBefore + published * others), post(request)])
  }
  return (performance.now() - began) / publishes
}

const slowReader = async (server: Server): Promise<Outcome> => {
  const session = `slow-${++runs}`
  const posts = await Producers.open(server, 1)
  await posts.post(Producers.request(session))
  const readers = await Readers.open(server, { count: others, sessionOf: () => session })
  const publishing = { post: posts.post, readers, session }
  const fill = async (marksBefore: number): Promise<number> => {
    const plain = Producers.request(session, { size: backlog.size })
    const last = Producers.request(session, { size: backlog.size, isMarked: true })
    for (let sent = 1; sent < backlog.events; sent++) await posts.post(plain)
    await Promise.all([readers.marked(marksBefore + others), posts.post(last)])
    return marksBefore + others
  }

  let marks = await fill(0)
  const without = await delay(publishing, marks)
  marks += publishes * others
  const drop = await Readers.openSilent(server, session)
  marks = await fill(marks)
  const withIt = await delay(publishing, marks)
  drop()
  posts.close()
  await readers.close()
  return { value: withIt / without }
}

export const measures: HotPath = [
  {
    says: "delay of 99 readers, with / without a slow one",
    unit: "ratio",
    better: "less",
    baselines: ["raw"],
    against: ["power", "process"],
    note: "Slow reader: time from a publish of 4 KiB until 99 readers have it, with a hundredth that has not read for the last 4 MiB, by the time without it. 1.00 is right; here the columns are such ratios themselves, of each server alone.",
    isRatio: true,
    run: slowReader
  }
]
