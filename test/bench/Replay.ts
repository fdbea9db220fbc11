/** Readers that want the whole history. */
import type { HotPath, Outcome, Server } from "./Measure.ts"
import { rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const session = "replay"
const history = 10_000
const clients = 20
const perPost = 1000

const store = async (server: Server): Promise<void> => {
  const posts = await Producers.open(server, 1)
  for (let stored = perPost; stored <= history; stored += perPost) {
    await posts.post(Producers.request(session, { events: perPost, isMarked: stored === history }))
  }
  posts.close()
}

const replay = async (server: Server): Promise<Outcome> => {
  const watch = Stopwatch.start(server.pid)
  const readers = await Readers.open(server, { count: clients, sessionOf: () => session, isFromStart: true })
  await readers.marked(clients)
  const lap = watch.stop()
  const isWhole = readers.bytes() >= clients * history * 128
  await readers.close()
  if (!isWhole) throw new Error("a reader did not get the whole history")
  return rate(clients * history, lap)
}

export const measures: HotPath = [
  {
    says: "replay of 10,000 events to 20 clients",
    unit: "events/s",
    better: "more",
    baselines: ["rawKeeping"],
    against: ["power"],
    note: "Replay: 20 clients connect at once and read from the first event to the last. `raw, keeping` has the history in memory and joins 500 events to a write; Sluice reads it from SQLite.",
    prepare: store,
    run: replay
  }
]
