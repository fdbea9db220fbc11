/** One session to many watchers, and many sessions with one watcher each. */
import type { HotPath, Outcome, Server } from "./Measure.ts"
import { cost, rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const watchers = 1000
const inFlight = 64
const seconds = 0.5

let runs = 0
const freshSession = (): string => `fanout-${++runs}`

const watched = async (server: Server, producers: number) => {
  const session = freshSession()
  const posts = await Producers.open(server, producers)
  await posts.post(Producers.request(session))
  const readers = await Readers.open(server, { count: watchers, sessionOf: () => session })
  await Readers.pause(50)
  return { posts, readers, session }
}

/** The next is published when all have the one before. */
const oneAtATime = async (server: Server): Promise<Outcome> => {
  const { posts, readers, session } = await watched(server, 1)
  const marked = Producers.request(session, { isMarked: true })
  let published = 0
  const publish = async (): Promise<void> => {
    published++
    await Promise.all([readers.marked(published * watchers), posts.post(marked)])
  }
  for (let i = 0; i < 5; i++) await publish()
  const before = published
  const watch = Stopwatch.start(server.pid)
  while (watch.elapsed() < seconds) await publish()
  const lap = watch.stop()
  posts.close()
  await readers.close()
  return cost((published - before) * watchers, lap)
}

const saturated = async (server: Server): Promise<Outcome> => {
  const { posts, readers, session } = await watched(server, inFlight)
  const plain = Producers.request(session)
  const watch = Stopwatch.start(server.pid)
  const published = 1 + (await posts.drive(Producers.during(seconds, plain)))
  await Promise.all([readers.marked(watchers), posts.post(Producers.request(session, { isMarked: true }))])
  const lap = watch.stop()
  const isWhole = readers.bytes() >= published * watchers * 128
  posts.close()
  await readers.close()
  if (!isWhole) throw new Error("a watcher did not get every event")
  return rate(published * watchers, lap)
}

const sessions = 1000
const eventsEach = 20
const sessionOf = (index: number): string => `many-${index}`

const inTurn = (requests: ReadonlyArray<Buffer>): (() => Buffer | undefined) => {
  let at = 0
  return () => requests[at++]
}

const createMany = async (server: Server): Promise<void> => {
  const posts = await Producers.open(server, inFlight)
  await posts.drive(inTurn(Array.from({ length: sessions }, (_, index) => Producers.request(sessionOf(index)))))
  posts.close()
}

const manySessions = async (server: Server): Promise<Outcome> => {
  const posts = await Producers.open(server, inFlight)
  const readers = await Readers.open(server, { count: sessions, sessionOf })
  await Readers.pause(50)
  const round = (isMarked: boolean) =>
    Array.from({ length: sessions }, (_, index) => Producers.request(sessionOf(index), { isMarked }))
  const plain = round(false)
  const last = round(true)
  const rounds = Array.from({ length: eventsEach }, (_, index) => (index === eventsEach - 1 ? last : plain)).flat()
  const watch = Stopwatch.start(server.pid)
  await Promise.all([posts.drive(inTurn(rounds)), readers.marked(sessions)])
  const lap = watch.stop()
  posts.close()
  await readers.close()
  return rate(rounds.length, lap)
}

export const measures: HotPath = [
  {
    says: "fan-out to 1,000, one publish at a time",
    unit: `${Stopwatch.costUnit}/delivery`,
    better: "less",
    baselines: ["raw"],
    against: ["power", "process"],
    note: "One publish at a time: 128 bytes to 1,000 watchers, the next when all have it. What the server spends on each delivery, the commit included.",
    run: oneAtATime
  },
  {
    says: "fan-out to 1,000, 64 publishes in flight",
    unit: "deliveries/s",
    better: "more",
    baselines: ["raw", "rawGathering"],
    against: ["power", "process"],
    note: "64 in flight: from the first publish until every watcher has the last event. `raw` writes each event by itself; `raw, gathering` all of a loop turn in one write, as Sluice does with all that it commits together.",
    run: saturated
  },
  {
    says: "1,000 sessions with 1 watcher each",
    unit: "events/s",
    better: "more",
    baselines: ["raw"],
    against: ["power", "process"],
    note: "Many sessions: 20 events to each, one per POST, 64 in flight, until all are delivered.",
    prepare: createMany,
    run: manySessions
  }
]
