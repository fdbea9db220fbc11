import * as assert from "node:assert/strict"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as EventLoop from "../../src/store/EventLoop.ts"
import { Simulation } from "../../src/testing/index.ts"
import { plants } from "./Plants.ts"

/** More of it for a night: `SLUICE_SIMULATION_RUNS=30000 SLUICE_SIMULATION_SEED=7 npx vitest run test/simulation`. */
const runs = Number(process.env["SLUICE_SIMULATION_RUNS"] ?? 2000)
const seed = Number(process.env["SLUICE_SIMULATION_SEED"] ?? 1)

/** Worlds between two breaths: a test that holds the thread for a minute is taken for dead. */
const piece = 200

interface Found {
  readonly worlds: number
  readonly fault: Simulation.Fault | undefined
}

/** Worlds that are played until a promise is broken, in pieces, each with a seed of its own. */
const found = (
  worlds: number,
  options: Simulation.Options & { readonly shrinks: boolean },
  played = 0
): Effect.Effect<Found> =>
  Effect.suspend(() => {
    if (played >= worlds) return Effect.succeed({ worlds: played, fault: undefined })
    const fault = Simulation.search({ runs: Math.min(piece, worlds - played), seed: seed + played, ...options })
    if (fault !== undefined) return Effect.succeed({ worlds: played + fault.runs, fault })
    return Effect.zipRight(EventLoop.turn, found(worlds, options, played + piece))
  })

/** All that is needed to see it again. */
const told = ({ fault }: Found): string =>
  fault === undefined
    ? ""
    : [...fault.trace, ...fault.broken, `again: search({ runs: 1, seed: ${fault.seed}, path: "${fault.path}" })`].join(
        "\n"
      )

describe("a simulated server", () => {
  // all promises
  it.live(
    `keeps every promise in ${runs} worlds, whatever comes when`,
    () => Effect.map(found(runs, { shrinks: true }), (all) => assert.equal(told(all), "")),
    Math.max(300_000, runs * 200)
  )

  it("is the same again for the same seed, line by line, and another one for another seed", { timeout: 60_000 }, () => {
    const scenes = [
      { command: { do: "open", watched: "both", isFromStart: true }, steps: 3 },
      { command: { do: "append", session: "a", size: 3, key: undefined }, steps: 5 },
      { command: { do: "come", binding: "watch" }, steps: 7 },
      { command: { do: "append", session: "b", size: 2, key: "k" }, steps: 2 },
      { command: { do: "crash", kept: 0.5 }, steps: 20 },
      { command: { do: "attach", temper: "hangs", isResumable: true }, steps: 30 },
      { command: { do: "interrupt", hasMessage: true }, steps: 4 },
      { command: { do: "pass", millis: 6000 }, steps: 4 }
    ] as const
    const story: Simulation.Story = { keeping: "some", scenes: [...scenes, ...scenes] }
    const traces = [1, 2, 1].map((own) => Simulation.play(own, story, { isTraced: true }).trace.join("\n"))
    assert.equal(traces[0], traces[2])
    assert.notEqual(traces[0], traces[1])
    assert.ok((traces[0]?.length ?? 0) > 1000)
  })

  it("plays a fault again by its seed and its path alone", { timeout: 60_000 }, () => {
    const [plant] = plants
    const search = { ...plant?.options, runs: 100, seed, shrinks: false }
    const fault = Simulation.search(search)
    assert.ok(fault !== undefined)
    const again = Simulation.search({ ...search, runs: 1, seed: fault.seed, path: fault.path })
    assert.deepEqual([again?.trace, again?.broken, again?.runs], [fault.trace, fault.broken, 1])
  })
})

describe("a planted fault is found:", () => {
  for (const { name, options, plant } of plants) {
    it.live(
      name,
      () =>
        Effect.acquireUseRelease(
          Effect.sync(() => plant?.()),
          () => found(runs, { shrinks: false, ...options }),
          (remove) => Effect.sync(() => remove?.())
        ).pipe(
          Effect.tap(({ fault, worlds }) => Effect.log(`${name}: world ${worlds}: ${fault?.broken[0]}`)),
          Effect.map(({ fault }) => assert.ok(fault !== undefined, "it was not found"))
        ),
      300_000
    )
  }
})
