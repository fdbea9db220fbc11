/** Streams that a backend is asked about, and what it sends to them. */
import * as Audience from "./Audience.ts"
import type { Backend } from "./Backend.ts"
import * as Machine from "./Machine.ts"
import type { HotPath, Outcome, Server } from "./Measure.ts"
import { cost, rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const connects = 1000
const streams = 1000
/** Two servers have theirs at once, beside what else is open. */
const crowd = Machine.openFiles() > 24_000 ? 10_000 : 4000
const seconds = 0.4

let paths = 0
/** One that no stream had before: the backend knows streams by it. */
const newPath = (): string => `/sse/bench?stream=${++paths}`

interface Visit {
  /** From the first connect until each stream has its first bytes. */
  readonly arrival: Stopwatch.Lap
  /** From the first reset until the backend has heard of each. */
  readonly departure: Stopwatch.Lap
}

const visit = async (server: Server, backend: Backend): Promise<Visit> => {
  const arriving = Stopwatch.start(server.pid)
  const readers = await Readers.open(server, { count: connects, pathOf: newPath })
  const arrival = arriving.stop()
  const allEnded = backend.ended(backend.ends() + connects)
  const departing = Stopwatch.start(server.pid)
  await readers.close()
  await allEnded
  await Readers.pause(50) // what the server still does for an end that the backend has heard of
  return { arrival, departure: departing.stop() }
}

const pathIn = (name: string, server: Server, index: number): string => `/sse/${name}/${server.port}?stream=${index}`

const audienceOf = (
  name: string,
  server: Server,
  { count, inFlight }: { readonly count: number; readonly inFlight: number }
): Promise<Audience.Audience> =>
  Audience.held(name, server, async () => {
    const posts = await Producers.open(server, inFlight)
    const readers = await Readers.open(server, { count, pathOf: (index) => pathIn(name, server, index) })
    await Readers.pause(50)
    return { posts, readers }
  })

const fewOf = (server: Server) => audienceOf("few", server, { count: streams, inFlight: 64 })

const send =
  (outcome: typeof rate) =>
  async (server: Server, backend: Backend): Promise<Outcome> => {
    const audience = await fewOf(server)
    const tokens = Array.from({ length: streams }, (_, index) => backend.tokenOf(pathIn("few", server, index)))
    const toEach = (isMarked: boolean) => tokens.map((token) => Producers.send({ token }, isMarked))
    const traffic = { plain: toEach(false), last: toEach(true), watchersEach: 1, seconds }
    return Audience.saturate(server, audience, traffic, outcome)
  }

const crowdOf = (server: Server) => audienceOf("crowd", server, { count: crowd, inFlight: 4 })

const gather = async (server: Server): Promise<void> => {
  await Audience.dismiss("few", server) // they would hear it too
  await crowdOf(server)
}

const toAll = {
  plain: [Producers.send({ request_id: null })],
  last: [Producers.send({ request_id: null }, true)],
  watchersEach: crowd,
  seconds
}

const broadcast =
  (outcome: typeof rate) =>
  async (server: Server): Promise<Outcome> =>
    Audience.saturate(server, await crowdOf(server), toAll, outcome)

const durable = { baselines: ["rawGateway"], against: ["power", "process"], seconds: 4 } as const
/** Nothing is stored. */
const passing = { baselines: ["rawGateway"], against: ["power"] } as const

const spent = (what: string) => ({ unit: `${Stopwatch.costUnit}/${what}`, better: "less" }) as const

export const measures: HotPath = [
  {
    ...durable,
    says: "gateway: connects, with their callbacks",
    unit: "connects/s",
    better: "more",
    note: "Gateway, connects: 1,000 streams, 128 at a time, until each has its first bytes; the backend, in the load process, says yes at once. Sluice journals each connect before it asks and each end before it tells; raw journals nothing.",
    prepare: async (server, backend) => {
      await visit(server, backend)
    },
    run: async (server, backend) => rate(connects, (await visit(server, backend)).arrival)
  },
  {
    ...durable,
    ...spent("connect"),
    says: "gateway: a connect, what the server spends",
    run: async (server, backend) => cost(connects, (await visit(server, backend)).arrival)
  },
  {
    ...durable,
    ...spent("client"),
    says: "gateway: a client that leaves",
    note: "A client that leaves: until the backend has heard of the end.",
    run: async (server, backend) => cost(connects, (await visit(server, backend)).departure)
  },
  {
    ...passing,
    says: "gateway: sends by token, 64 in flight",
    unit: "sends/s",
    better: "more",
    note: "Sends: events of 128 bytes to each of 1,000 streams in turn, one per POST, until all are delivered.",
    prepare: async (server) => {
      await fewOf(server)
    },
    run: send(rate)
  },
  {
    ...passing,
    ...spent("send"),
    says: "gateway: a send, what the server spends",
    run: send(cost)
  },
  {
    ...passing,
    says: `gateway: broadcasts to ${crowd.toLocaleString("en")}, 4 in flight`,
    unit: "deliveries/s",
    better: "more",
    note: "Broadcasts: events of 128 bytes to all streams, until each has the last one. 10,000 streams where that many files may be open, else 4,000.",
    prepare: gather,
    run: broadcast(rate)
  },
  {
    ...passing,
    ...spent("delivery"),
    says: "gateway: a delivery of a broadcast",
    prepare: gather,
    run: broadcast(cost)
  }
]
