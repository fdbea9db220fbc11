/** The process that drives the servers: it does what it is told, one order at a time, until its parent lets go. */
import { hotPaths } from "./HotPaths.ts"
import type { Outcome, Server } from "./Measure.ts"

export interface Order {
  readonly path: string
  /** Which measure of the path. */
  readonly measure: number
  readonly step: "prepare" | "run"
  readonly server: Server
}

export type Answer = { readonly outcome: Outcome | undefined } | { readonly problem: string }

const obey = async ({ measure: index, path, server, step }: Order): Promise<Answer> => {
  const measure = hotPaths.get(path)?.[index]
  if (measure === undefined) return { problem: `no measure ${index} of ${path}` }
  try {
    if (step === "run") return { outcome: await measure.run(server) }
    await measure.prepare?.(server)
    return { outcome: undefined }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

export const run = (): void => {
  process.on("message", (order: Order) => {
    void obey(order).then((answer) => process.send?.(answer))
  })
}
