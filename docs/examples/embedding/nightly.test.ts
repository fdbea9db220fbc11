import { expect, it } from "@effect/vitest"
import { Effect, Layer, TestClock } from "effect"
import { Backend, ConnectionManager, MemoryRetainedStore } from "sluice/backend"
import { TestGateway } from "sluice/testing"
import * as Nightly from "./nightly.ts"

const application = Nightly.layer.pipe(
  Layer.provideMerge(Backend.layer({ versions: { current: Effect.succeed({ version: "1.2.3" }) } })),
  Layer.provideMerge(TestGateway.layer),
  Layer.provide(MemoryRetainedStore.layer)
)

it.effect("tells its reports to a browser that is connected for two days and an hour", () =>
  Effect.gen(function* () {
    const manager = yield* ConnectionManager.ConnectionManager
    const gateway = yield* TestGateway.TestGateway
    yield* manager.connected({ requestId: "browser", token: "t1", url: "/sse/news", subject: undefined })
    yield* TestClock.adjust("49 hours")
    yield* manager.settled
    const told = gateway.events("t1").map(({ data, name }) => (name === "task" ? JSON.parse(data).status : name))
    const night = ["running", "running", "completed"]
    expect(told).toEqual(["version", "snapshot", ...night, ...night])
  }).pipe(Effect.provide(application))
)
