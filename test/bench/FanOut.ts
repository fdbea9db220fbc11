/** One session to many watchers, and many sessions with one watcher each. */
import * as Paths from "../../src/protocol/Paths.ts"
import * as Audience from "./Audience.ts"
import type { HotPath, Outcome, Server } from "./Measure.ts"
import { cost, rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const watchers = 1000
const inFlight = 64
const seconds = 0.4

const session = "fanout"

const watchersOf = (server: Server): Promise<Audience.Audience> =>
  Audience.held(session, server, async () => {
    const posts = await Producers.open(server, inFlight)
    await posts.post(Producers.request(session))
    const readers = await Readers.open(server, { count: watchers, pathOf: () => Paths.stream(session) })
    await Readers.pause(50)
    return { posts, readers }
  })

/** The next is published when all have the one before. */
const oneAtATime = async (server: Server): Promise<Outcome> => {
  const { posts, readers } = await watchersOf(server)
  const marked = Producers.request(session, { isMarked: true })
  const watch = Stopwatch.start(server.pid)
  let published = 0
  for (; watch.elapsed() < seconds; published++) {
    await Promise.all([readers.marked(readers.marks() + watchers), posts.post(marked)])
  }
  return cost(published * watchers, watch.stop())
}

const toAll = {
  plain: [Producers.request(session)],
  last: [Producers.request(session, { isMarked: true })],
  watchersEach: watchers
}

const inFlightToAll = async (server: Server): Promise<Outcome> =>
  Audience.saturate(server, await watchersOf(server), { ...toAll, seconds }, rate)

/** As many sessions as there are watchers. */
const sessionOf = (index: number): string => `many-${index}`

const toEach = (isMarked: boolean): ReadonlyArray<Buffer> =>
  Array.from({ length: watchers }, (_, index) => Producers.request(sessionOf(index), { isMarked }))

const manyOf = (server: Server): Promise<Audience.Audience> =>
  Audience.held("many", server, async () => {
    const posts = await Producers.open(server, inFlight)
    await posts.drive(Producers.inTurn(toEach(false), watchers))
    const readers = await Readers.open(server, { count: watchers, pathOf: (index) => Paths.stream(sessionOf(index)) })
    await Readers.pause(50)
    return { posts, readers }
  })

const manySessions = async (server: Server): Promise<Outcome> =>
  Audience.saturate(
    server,
    await manyOf(server),
    { plain: toEach(false), last: toEach(true), watchersEach: 1, seconds },
    rate
  )

export const measures: HotPath = [
  {
    says: "fan-out, one publish at a time",
    unit: `${Stopwatch.costUnit}/delivery`,
    better: "less",
    baselines: ["raw"],
    against: ["power", "process"],
    note: "One publish at a time: 128 bytes to 1,000 watchers, the next when all have it. What the server spends on each delivery, the commit included.",
    run: oneAtATime
  },
  {
    says: "fan-out, 64 publishes in flight",
    unit: "deliveries/s",
    better: "more",
    baselines: ["raw", "rawGathering"],
    against: ["power", "process"],
    note: "64 in flight: to 1,000 watchers, from the first publish until every watcher has the last event. `raw` writes each event by itself; `raw, gathering` all of a loop turn in one write, as Sluice does with all that it commits together.",
    run: inFlightToAll
  },
  {
    says: "1,000 sessions with 1 watcher each",
    unit: "events/s",
    better: "more",
    baselines: ["raw"],
    against: ["power", "process"],
    note: "Many sessions: an event to each in turn, one per POST, 64 in flight, until all are delivered.",
    run: manySessions
  }
]
