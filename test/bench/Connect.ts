/** Streams that open, and streams on which nothing happens. */
import { readFileSync } from "node:fs"
import * as Paths from "../../src/protocol/Paths.ts"
import type { HotPath, Outcome, Server } from "./Measure.ts"
import { cost, rate } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

const session = "connect"
const path = Paths.stream(session)
const connects = 1000
const idle = 4000

const create = async (server: Server): Promise<void> => {
  const posts = await Producers.open(server, 1)
  await posts.post(Producers.request(session))
  posts.close()
}

const connect = async (server: Server): Promise<Stopwatch.Lap> => {
  const watch = Stopwatch.start(server.pid)
  const readers = await Readers.open(server, { count: connects, pathOf: () => path })
  const lap = watch.stop()
  await readers.close()
  return lap
}

/** Bytes of memory that the process holds; in pages that are really there. */
const residentBytes = (pid: number): number => {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  if (kilobytes === undefined) throw new Error("the system does not tell the memory of a process")
  return Number(kilobytes) * 1024
}

/** A few streams come and go first, so that code which is loaded by them does not count. */
const memory = async (server: Server): Promise<Outcome> => {
  await create(server)
  await (await Readers.open(server, { count: 100, pathOf: () => path })).close()
  const before = residentBytes(server.pid)
  const readers = await Readers.open(server, { count: idle, pathOf: () => path })
  await Readers.pause(200)
  const after = residentBytes(server.pid)
  await readers.close()
  return { value: (after - before) / idle / 1024 }
}

export const measures: HotPath = [
  {
    says: "connects",
    unit: "connects/s",
    better: "more",
    baselines: ["raw"],
    against: ["power"],
    note: "Connects: 1,000 streams, 128 at a time, until each has its first bytes.",
    prepare: create,
    run: async (server) => rate(connects, await connect(server))
  },
  {
    says: "a connect, what the server spends",
    unit: `${Stopwatch.costUnit}/connect`,
    better: "less",
    baselines: ["raw"],
    against: ["power"],
    prepare: create,
    run: async (server) => cost(connects, await connect(server))
  },
  {
    says: "memory of an idle connection",
    unit: "KiB RSS",
    better: "less",
    baselines: ["raw"],
    against: ["power"],
    note: "Memory: what a server that is new grows by with 4,000 streams, by 4,000. Buffers of the kernel are not in it. Linux only.",
    isFresh: true,
    run: memory
  }
]
