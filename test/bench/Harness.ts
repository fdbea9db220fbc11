/** Rounds of one run per server, so close together that what drifts drifts for all of them. */
import type { HotPath, Measure, Outcome, ServerKind } from "./Measure.ts"
import * as Processes from "./Processes.ts"
import type { Figures } from "./Table.ts"

/** The first round warms up and does not count. */
const rounds = 5
/** Seconds a measure may take. No round begins that would end later, as long as one has counted. */
const budget = (measure: Measure): number => kindsOf(measure).length * (measure.seconds ?? (measure.isFresh ? 4 : 2.2))

const kindsOf = (measure: Measure): ReadonlyArray<ServerKind> => [...measure.baselines, ...measure.against]

/** One load process and, but for those that want a new one each time, one server of each kind. */
export interface Bench {
  readonly measure: (index: number) => Promise<Figures>
  readonly stop: () => Promise<void>
}

export const open = async (path: string, measures: HotPath): Promise<Bench> => {
  const load = await Processes.startLoad()
  const started = new Map<ServerKind, Processes.ServerProcess>()

  const serverFor = async (kind: ServerKind): Promise<Processes.ServerProcess> => {
    const server = started.get(kind) ?? (await Processes.startServer(kind, load.callbackUrl))
    started.set(kind, server)
    return server
  }

  const drop = async (kind: ServerKind): Promise<void> => {
    await started.get(kind)?.stop()
    started.delete(kind)
  }

  const runOne = async (index: number, measure: Measure, kind: ServerKind): Promise<Outcome> => {
    if (measure.isFresh) await drop(kind)
    const server = await serverFor(kind)
    const outcome = await load.order({ path, measure: index, step: "run", server })
    if (measure.isFresh) await drop(kind)
    if (outcome === undefined) throw new Error("nothing was measured")
    return outcome
  }

  const measure = async (index: number): Promise<Figures> => {
    const measure = measures[index]
    if (measure === undefined) throw new Error(`no measure ${index}`)
    const kinds = kindsOf(measure)
    if (measure.prepare !== undefined) {
      for (const kind of kinds)
        await load.order({ path, measure: index, step: "prepare", server: await serverFor(kind) })
    }
    if (!measure.isFresh) for (const kind of kinds) await serverFor(kind)
    const counted: Array<ReadonlyMap<ServerKind, Outcome>> = []
    const began = performance.now()
    for (let round = measure.isFresh ? 1 : 0; round <= rounds; round++) {
      const outcomes = new Map<ServerKind, Outcome>()
      const isForward = round % 2 === 0
      for (const kind of isForward ? kinds : kinds.toReversed()) outcomes.set(kind, await runOne(index, measure, kind))
      if (round > 0) counted.push(outcomes)
      const elapsed = (performance.now() - began) / 1000
      if (round > 0 && elapsed * (1 + 1 / (round + 1)) > budget(measure)) break
    }
    return { measure, rounds: counted }
  }

  return {
    measure,
    stop: async () => {
      await Promise.all([load.stop(), ...Array.from(started.values(), (server) => server.stop())])
    }
  }
}
