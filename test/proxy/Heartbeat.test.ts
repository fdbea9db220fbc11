import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as StreamClient from "../../src/testing/StreamClient.ts"
import * as Site from "./Site.ts"

/** The proxies' patience with silence, a thirtieth of what is documented; and a heartbeat below it. */
const patience = { substitutions: [["60s", "2s"]] } as const
const settings = { HEARTBEAT_INTERVAL_SECONDS: "1" }

describe("a stream that is silent for longer than a proxy's timeouts", () => {
  it.scopedLive("is kept open by heartbeats, which pass one by one (S54)", () =>
    Effect.gen(function* () {
      const { proxies } = yield* Site.make({ settings, nginx: patience, haproxy: patience })
      const beats = (url: string) =>
        Effect.flatMap(StreamClient.open(url), (client) =>
          client.until((text) => text.split(": heartbeat\n\n").length > 3)
        )
      const streams = Object.values(proxies).flatMap(({ url }) => [`${url}/v1/sessions/s/stream`, `${url}/sse/x`])
      yield* Effect.forEach(streams, beats, { concurrency: "unbounded" })
    })
  )

  it.scopedLive("is cut off where the heartbeat is the slower one, as deploy.md warns", () =>
    Effect.gen(function* () {
      const { proxies } = yield* Site.make({ nginx: patience, haproxy: patience })
      const ends = (url: string) => Effect.flatMap(StreamClient.open(url), (client) => client.ended)
      const streams = Object.values(proxies).map(({ url }) => `${url}/v1/sessions/s/stream`)
      yield* Effect.forEach(streams, ends, { concurrency: "unbounded" })
    })
  )
})
