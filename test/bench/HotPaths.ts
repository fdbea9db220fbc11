import * as Connect from "./Connect.ts"
import * as FanOut from "./FanOut.ts"
import * as Gateway from "./Gateway.ts"
import * as Ingest from "./Ingest.ts"
import type { HotPath } from "./Measure.ts"
import * as Replay from "./Replay.ts"
import * as SlowReader from "./SlowReader.ts"

/** By the name that `npm run bench -- NAME` takes, in the order of the table. */
export const hotPaths: ReadonlyMap<string, HotPath> = new Map([
  ["fanout", FanOut.measures],
  ["ingest", Ingest.measures],
  ["replay", Replay.measures],
  ["connect", Connect.measures],
  ["gateway", Gateway.measures],
  ["slow", SlowReader.measures]
])
