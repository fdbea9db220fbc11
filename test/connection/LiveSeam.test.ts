import { describe, it } from "@effect/vitest"
import * as Interleaving from "./Interleaving.ts"

const stories = { story: Interleaving.commands }

describe("the seam between log and live", () => {
  // promise 2
  it.effect.prop(
    "gives each reader of a session every number once and in order, or an explicit gap, whatever happens when (S82)",
    stories,
    ({ story }) => Interleaving.play("single", story),
    { fastCheck: { numRuns: 2000 }, timeout: 120_000 }
  )

  // promise 2
  it.effect.prop(
    "does so for two sessions on one stream, also for a client that returns with any vector that it saw (S52, S93)",
    stories,
    ({ story }) => Interleaving.play("many", story),
    { fastCheck: { numRuns: 1000 }, timeout: 120_000 }
  )
})
