import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { Retrying, SluiceClient } from "../../../../src/client/effect/index.ts"
import { program } from "./chat.ts"

const sluice = SluiceClient.layer({
  url: "http://localhost:3000",
  key: Redacted.make("s3cret"),
  // A message is given up after 10 tries; the stream comes back for ever.
  retries: Schedule.intersect(Retrying.forever, Schedule.recurs(9))
})

NodeRuntime.runMain(Effect.provide(program, Layer.provide(sluice, NodeHttpClient.layer)))
