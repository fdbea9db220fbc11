/** Appends to a session that nobody watches. */
import type { HotPath, Measure, Outcome, Server } from "./Measure.ts"
import { rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const inFlight = 64
const seconds = 0.3

const append =
  (events: number) =>
  async (server: Server): Promise<Outcome> => {
    const posts = await Producers.open(server, inFlight)
    const request = Producers.request(`ingest-${events}`, { events })
    const watch = Stopwatch.start(server.pid)
    const acknowledged = await posts.drive(Producers.during(seconds, Producers.inTurn([request])))
    const lap = watch.stop()
    posts.close()
    return rate(acknowledged, lap)
  }

const measure = (says: string, events: number): Measure => ({
  says,
  unit: "acks/s",
  better: "more",
  baselines: ["raw"],
  against: ["power", "process"],
  run: append(events)
})

export const measures: HotPath = [
  {
    ...measure("ingest, 1 event per POST, 64 in flight", 1),
    note: "Ingest: events of 128 bytes. Sluice acknowledges after its commit; raw parses the body and stores nothing."
  },
  measure("ingest, 100 events per POST, 64 in flight", 100)
]
