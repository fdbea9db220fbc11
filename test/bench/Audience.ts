/** Streams that stay open from run to run, and events to them as fast as they are taken. */
import type { Outcome, Server } from "./Measure.ts"
import * as Producers from "./Producers.ts"
import type * as Readers from "./Readers.ts"
import * as Stopwatch from "./Stopwatch.ts"

export interface Audience {
  readonly readers: Readers.Readers
  readonly posts: Producers.Producers
}

const audiences = new Map<string, Promise<Audience>>()

const keyOf = (name: string, server: Server): string => `${name} ${server.port}`

/** Opened once for each server, by the first measure that wants it, and left to the end of the load process. */
export const held = (name: string, server: Server, open: () => Promise<Audience>): Promise<Audience> => {
  const key = keyOf(name, server)
  const audience = audiences.get(key) ?? open()
  audiences.set(key, audience)
  return audience
}

/** Leaves before that; nothing, when there is none. */
export const dismiss = async (name: string, server: Server): Promise<void> => {
  const key = keyOf(name, server)
  const audience = await audiences.get(key)
  audiences.delete(key)
  audience?.posts.close()
  await audience?.readers.close()
}

export interface Traffic {
  readonly plain: ReadonlyArray<Buffer>
  /** Marked. Together they reach each stream once. */
  readonly last: ReadonlyArray<Buffer>
  /** Deliveries of one event. */
  readonly watchersEach: number
  readonly seconds: number
}

/**
 * Drives `plain`, then `last`, until every reader has its own; fails when one got less than was sent to it. `outcome` is of
 * the deliveries.
 */
export const saturate = async (
  server: Server,
  { posts, readers }: Audience,
  { last, plain, seconds, watchersEach }: Traffic,
  outcome: (deliveries: number, lap: Stopwatch.Lap) => Outcome
): Promise<Outcome> => {
  const bytesBefore = readers.bytes()
  const marksBefore = readers.marks()
  const watch = Stopwatch.start(server.pid)
  const driven = await posts.drive(Producers.during(seconds, Producers.inTurn(plain)))
  const ending = posts.drive(Producers.inTurn(last, last.length))
  await Promise.all([readers.marked(marksBefore + last.length * watchersEach), ending])
  const lap = watch.stop()
  const delivered = (driven + last.length) * watchersEach
  if (readers.bytes() - bytesBefore < delivered * 128) throw new Error("a watcher did not get every event")
  return outcome(delivered, lap)
}
