/** Readers that want the whole history. */
import * as Paths from "../../src/protocol/Paths.ts"
import type { HotPath, Outcome, Server } from "./Measure.ts"
import { rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const session = "replay"
const path = `${Paths.stream(session)}?from=start`
const history = 10_000
const clients = 20
const perPost = 1000
const seconds = 0.3

const store = async (server: Server): Promise<void> => {
  const posts = await Producers.open(server, 1)
  for (let stored = perPost; stored <= history; stored += perPost) {
    await posts.post(Producers.request(session, { events: perPost, isMarked: stored === history }))
  }
  posts.close()
}

/** One herd of clients after the other, until the time is up. */
const replay = async (server: Server): Promise<Outcome> => {
  const herds: Array<Readers.Readers> = []
  const watch = Stopwatch.start(server.pid)
  while (watch.elapsed() < seconds) {
    const readers = await Readers.open(server, { count: clients, pathOf: () => path })
    herds.push(readers)
    await readers.marked(clients)
  }
  const lap = watch.stop()
  const isWhole = herds.every((readers) => readers.bytes() >= clients * history * 128)
  await Promise.all(herds.map((readers) => readers.close()))
  if (!isWhole) throw new Error("a reader did not get the whole history")
  return rate(herds.length * clients * history, lap)
}

export const measures: HotPath = [
  {
    says: "replay of 10,000 events to 20 clients",
    unit: "events/s",
    better: "more",
    baselines: ["rawKeeping"],
    against: ["power"],
    note: "Replay: 20 clients connect at once and read from the first event to the last; then 20 others, for 0.3 s. `raw, keeping` has the history in memory, ready to be written, 500 events at once; Sluice has it in SQLite, and shares pages between readers.",
    prepare: store,
    run: replay
  }
]
