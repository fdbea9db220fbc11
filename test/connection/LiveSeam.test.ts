import { describe, it } from "@effect/vitest"
import * as Interleaving from "./Interleaving.ts"

const story = { story: Interleaving.stories }

describe("the seam between log and live", () => {
  it.layer(Interleaving.smallRooms)((it) => {
    // promise 2
    it.effect.prop(
      "gives each reader of a session every number once and in order, or an explicit gap, whatever happens when (S82)",
      story,
      ({ story }) => Interleaving.play("single", story),
      { fastCheck: { numRuns: 2000 }, timeout: 120_000 }
    )

    // promise 2
    it.effect.prop(
      "does so for two sessions on one stream, also for a client that returns with any vector that it saw (S52, S93)",
      story,
      ({ story }) => Interleaving.play("many", story),
      { fastCheck: { numRuns: 1000 }, timeout: 120_000 }
    )
  })
})
